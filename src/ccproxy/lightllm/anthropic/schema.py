"""JSON schemas that the API enforces (Anthropic documentation, "Structured outputs", "JSON Schema limitations").

An answer's format and the arguments of ``strict`` tools are enforced by a grammar that is made of the schema. It is
refused with what the grammar cannot say: open objects, ranges and lengths, recursion, more than 24 optional properties
or 16 unions in all. Objects are closed here, which an answer to the original schema may be as well; ranges and the like
are told in the description. Where closing an object would leave nothing of it, a schema cannot be enforced.

>>> enforced({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}).schema
{'type': 'object', 'properties': {'n': {'type': 'integer', 'description': '(minimum: 1)'}}, 'required': ['n'], \
'additionalProperties': False}
>>> enforced({"type": "object", "additionalProperties": {"type": "string"}}) is None
True
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

OPTIONAL_LIMIT: Final = 24
UNION_LIMIT: Final = 16
STRICT_LIMIT: Final = 20
"""Most strict tools of a request."""
_DEPTH_LIMIT: Final = 64

_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_KEPT: Final = frozenset({"type", "title", "default", "required", "description"})
_NOT_TOLD: Final = frozenset({"$schema", "$id", "$comment", "examples", "additionalProperties", "nullable"})


@dataclass(frozen=True, slots=True)
class Enforced:
    """A schema that the API takes, and what it takes of the limits of a request."""

    schema: dict[str, object]
    optional: int
    unions: int
    told: tuple[str, ...] = field(default=(), compare=False)
    """Keywords that are only told, in descriptions."""


class _Unsaid(Exception):
    """The grammar cannot say this."""


def enforced(schema: Mapping[str, object]) -> Enforced | None:
    """The schema as the API enforces it, or None if it cannot."""
    made = _Making()
    try:
        found = made.schema(schema, 0)
        if made.optional > OPTIONAL_LIMIT or made.unions > UNION_LIMIT or _recursive(schema):
            return None
    except (_Unsaid, RecursionError):
        return None
    return Enforced(found, made.optional, made.unions, tuple(made.told))


def object_schema(schema: Mapping[str, object] | None) -> dict[str, object]:
    """A tool's schema: an object's, with no alternatives at its top, which are refused (seen 2026-11)."""
    if schema is None:
        return {"type": "object", "properties": {}}
    plain = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "allOf", "type")}
    found: dict[str, object] = {"type": "object", **plain}
    properties: dict[str, object] = {}
    for key in ("anyOf", "oneOf", "allOf"):
        variants = schema.get(key)
        for variant in variants if isinstance(variants, list) else []:
            if isinstance(variant, dict) and isinstance(variant.get("properties"), dict):
                properties |= variant["properties"]
    if properties:
        own = schema.get("properties")
        found["properties"] = {**properties, **(own if isinstance(own, dict) else {})}
    return found


class _Making:
    def __init__(self) -> None:
        self.optional = 0
        self.unions = 0
        self.told: dict[str, None] = {}

    def schema(self, value: object, depth: int) -> dict[str, object]:
        if not isinstance(value, dict) or depth > _DEPTH_LIMIT:
            raise _Unsaid
        found: dict[str, object] = {}
        told: list[str] = []
        for key, each in value.items():
            self.keyword(key, each, found, told, depth)
        kinds = value.get("type")
        if kinds == "object" or (isinstance(kinds, list) and "object" in kinds) or "properties" in value:
            found.setdefault("type", "object")
            self.close(value, found)
        if not found.keys() & {"type", "enum", "const", "anyOf", "$ref"}:
            raise _Unsaid
        if isinstance(kinds, list) or "anyOf" in found:
            self.unions += 1
        if told:
            before = f"{found['description']}\n" if "description" in found else ""
            found["description"] = f"{before}({', '.join(told)})"
        return found

    def keyword(self, key: str, value: object, found: dict[str, object], told: list[str], depth: int) -> None:
        match key, value:
            case (("$defs" | "definitions" | "properties"), dict()):
                found[key] = {name: self.schema(each, depth + 1) for name, each in value.items()}
            case "items", _:
                found[key] = self.schema(value, depth + 1)
            case (("anyOf" | "oneOf"), list()):
                found["anyOf"] = [self.schema(each, depth + 1) for each in value]
            case "allOf", [only]:
                found.update(self.schema(only, depth + 1))
            case "allOf", _:
                raise _Unsaid
            case _ if _plain(key, value):
                found[key] = value
            case _ if key not in _NOT_TOLD:
                self.told[key] = None
                told.append(f"{key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")

    def close(self, value: Mapping[str, object], found: dict[str, object]) -> None:
        properties = value.get("properties")
        if not isinstance(properties, dict) or (not properties and value.get("additionalProperties") is not False):
            raise _Unsaid
        if isinstance(value.get("additionalProperties"), dict):
            raise _Unsaid
        required = value.get("required")
        needed = required if isinstance(required, list) else []
        self.optional += sum(name not in needed for name in properties)
        found["additionalProperties"] = False


def _plain(key: str, value: object) -> bool:
    """Whether the grammar knows the keyword as it is. Raises _Unsaid where leaving it out would change the meaning."""
    match key, value:
        case "$ref", str():
            known = value.startswith("#")
        case "enum", list():
            known = all(each is None or isinstance(each, str | int | float) for each in value)
        case "const", _:
            known = value is None or isinstance(value, str | int | float)
        case "format", _:
            return str(value) in _FORMATS
        case "minItems", _:
            return value in (0, 1)
        case _:
            return key in _KEPT
    if not known:
        raise _Unsaid
    return True


def _recursive(schema: Mapping[str, object]) -> bool:
    """Whether a definition leads back to itself."""
    leads: dict[str, set[str]] = {"#": _references({key: each for key, each in schema.items() if key not in _DEFS})}
    for key in _DEFS:
        known = schema.get(key)
        if isinstance(known, dict):
            leads |= {f"#/{key}/{name}": _references(each) for name, each in known.items()}
    return any(_reaches(leads, start) for start in leads)


_DEFS: Final = ("$defs", "definitions")


def _references(value: object) -> set[str]:
    match value:
        case dict():
            own = value.get("$ref")
            inner = set().union(*(_references(each) for each in value.values()))
            return inner | {own} if isinstance(own, str) else inner
        case list():
            return set().union(*(_references(each) for each in value))
        case _:
            return set()


def _reaches(leads: Mapping[str, set[str]], start: str) -> bool:
    seen: set[str] = set()
    waiting = list(leads[start])
    while waiting:
        here = waiting.pop()
        if here == start:
            return True
        if here not in seen:
            seen.add(here)
            waiting += leads.get(here, ())
    return False
