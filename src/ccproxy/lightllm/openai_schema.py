"""JSON schemas as api.openai.com takes them (guide "Structured outputs", "Supported schemas"; seen 2026-11).

A tool's arguments are an object with ``properties``. Where ``strict`` is true every object must also forbid other
keys and require all of its own. A schema that leaves keys to choice cannot be strict: it is sent as it is, not strict.

>>> strict_schema({"type": "object", "properties": {"a": {}}, "required": ["a"]})
{'type': 'object', 'properties': {'a': {}}, 'required': ['a'], 'additionalProperties': False}
>>> strict_schema({"type": "object", "properties": {"a": {}}}) is None
True
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

type Schema = Mapping[str, object]

_ONE: Final = ("items", "not")
_MANY: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED: Final = ("properties", "$defs", "definitions", "patternProperties")


class _Loose(Exception):
    """The schema cannot be strict."""


def object_schema(schema: Schema) -> Schema:
    """The schema of a tool's arguments with the keys that must be there."""
    if schema.get("type", "object") != "object" or ("type" in schema and "properties" in schema):
        return schema
    return {"type": "object", "properties": {}, **schema}


def strict_schema(schema: Schema) -> Schema | None:
    """The schema with ``additionalProperties: false`` wherever it has to be said; None if it cannot be strict."""
    try:
        return _strict(schema)
    except (_Loose, RecursionError):
        return None


def _strict(schema: Schema) -> Schema:
    written = dict(schema)
    if "properties" in schema or schema.get("type") == "object":
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise _Loose
        if schema.get("additionalProperties", False) is not False or not all(name in required for name in properties):
            raise _Loose
        written["additionalProperties"] = False
    for key in _ONE:
        if isinstance(inner := schema.get(key), dict):
            written[key] = _strict(inner)
    for key in _MANY:
        if isinstance(several := schema.get(key), list):
            written[key] = [_strict(each) if isinstance(each, dict) else each for each in several]
    for key in _NAMED:
        if isinstance(named := schema.get(key), dict):
            written[key] = {name: _strict(each) if isinstance(each, dict) else each for name, each in named.items()}
    return written
