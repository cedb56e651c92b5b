"""A value that a JSON schema accepts, always the same one.

It covers what tool declarations use: types, ``enum``, ``const``, ``default``, ``required``, bounds, ``$ref``,
``anyOf``; not ``pattern``, ``not`` or ``if``. Gemini's upper-case type names count too.

>>> sample({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
{'city': 'city'}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_DEPTH = 12
"""A schema that refers to itself ends here."""
_FORMATS = {
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "echo@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
}


def arguments(schema: object) -> dict[str, object]:
    """The arguments of a tool call; empty where the schema is not one of an object."""
    value = sample(schema)
    return value if isinstance(value, dict) else {}


def sample(schema: object) -> object:
    """A value for this schema; ``{}`` and ``True`` accept anything and give an empty object."""
    return _Sampler(schema).value(schema, "text", _DEPTH)


class _Sampler:
    def __init__(self, root: object) -> None:
        self.root = root

    def value(self, schema: object, name: str, depth: int) -> object:
        if not isinstance(schema, Mapping) or depth == 0:
            return {}
        if (fixed := _fixed(schema)) is not None:
            return fixed[0]
        if (other := self.rewritten(schema)) is not None:
            return self.value(other, name, depth - 1)
        return self.typed(schema, name, depth)

    def rewritten(self, schema: Mapping[str, object]) -> object | None:
        """What a reference or a combination comes down to; None for a plain schema."""
        if isinstance(ref := schema.get("$ref"), str):
            return self.resolve(ref)
        for key in ("anyOf", "oneOf"):
            if isinstance(options := schema.get(key), list) and options:
                return {**schema, key: None, **_mapping(options[0])}
        if isinstance(parts := schema.get("allOf"), list) and parts:
            return self.merged([schema, *parts])
        return None

    def typed(self, schema: Mapping[str, object], name: str, depth: int) -> object:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = kind[0] if kind else None
        match str(kind).lower() if kind else "object" if "properties" in schema else "":
            case "object":
                properties = _mapping(schema.get("properties"))
                required = schema.get("required")
                wanted = required if isinstance(required, list) else []
                return {key: self.value(properties.get(key, {}), key, depth - 1) for key in wanted}
            case "array":
                least = int(_number(schema, "minItems", 1))
                return [self.value(schema.get("items", {}), name, depth - 1) for _ in range(least)]
            case plain:
                return _plain(plain, schema, name)

    def resolve(self, ref: str) -> object:
        found: object = self.root
        for step in ref.removeprefix("#").split("/")[1:]:
            found = _mapping(found).get(step.replace("~1", "/").replace("~0", "~"))
        return found

    def merged(self, parts: Sequence[object]) -> dict[str, object]:
        out: dict[str, object] = {}
        properties: dict[str, object] = {}
        required: list[object] = []
        for part in parts:
            resolved = _mapping(part)
            if isinstance(ref := resolved.get("$ref"), str):
                resolved = _mapping(self.resolve(ref))
            out |= {key: value for key, value in resolved.items() if key != "allOf"}
            properties |= _mapping(resolved.get("properties"))
            more = resolved.get("required")
            required += more if isinstance(more, list) else []
        return {**out, "properties": properties, "required": required} if properties or required else out


def _fixed(schema: Mapping[str, object]) -> tuple[object] | None:
    """The value that the schema itself names, in a tuple, as the value may be null."""
    for key in ("const", "default"):
        if key in schema:
            return (schema[key],)
    for key in ("enum", "examples"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            return (choices[0],)
    return None


def _plain(kind: str, schema: Mapping[str, object], name: str) -> object:
    match kind:
        case "string":
            return _text(schema, name)
        case "integer":
            return int(_bounded(schema, 1))
        case "number":
            return _bounded(schema, 0.5)
        case "null":
            return None
        case _:
            return kind == "boolean" or {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _number(schema: Mapping[str, object], key: str, default: float) -> float:
    found = schema.get(key)
    return default if isinstance(found, bool) or not isinstance(found, int | float) else found


def _bounded(schema: Mapping[str, object], preferred: float) -> float:
    """The preferred number, or the nearest that the bounds allow."""
    step = 1 if isinstance(preferred, int) else 0.5
    least = max(_number(schema, "minimum", -math.inf), _number(schema, "exclusiveMinimum", -math.inf) + step)
    most = min(_number(schema, "maximum", math.inf), _number(schema, "exclusiveMaximum", math.inf) - step)
    multiple = _number(schema, "multipleOf", 0)
    value = min(max(preferred, least), most)
    return math.ceil(value / multiple) * multiple if multiple > 0 else value


def _text(schema: Mapping[str, object], name: str) -> str:
    if (form := str(schema.get("format", ""))) in _FORMATS:
        return _FORMATS[form]
    text = name.ljust(int(_number(schema, "minLength", 0)), ".")
    return text[: int(_number(schema, "maxLength", len(text)))]
