"""Google's own schemas to JSON schema (Gemini API reference, "Schema": a subset of OpenAPI 3.0.3).

The other way is not needed: ``parametersJsonSchema`` and ``responseJsonSchema`` take JSON schema as it is.

>>> json_schema({"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}, "required": ["a"]})
{'type': 'object', 'properties': {'a': {'type': ['string', 'null']}}, 'required': ['a']}
"""

from __future__ import annotations

from typing import Final

from ccproxy.lightllm.google.fields import Json, both, pick

_NAMES: Final = {
    "any_of": "anyOf",
    "additional_properties": "additionalProperties",
    "max_items": "maxItems",
    "max_length": "maxLength",
    "max_properties": "maxProperties",
    "min_items": "minItems",
    "min_length": "minLength",
    "min_properties": "minProperties",
    "defs": "$defs",
    "ref": "$ref",
}
_SIZES: Final = frozenset({"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"})
"""int64, which ProtoJSON writes as strings."""
_OWN: Final = both("nullable", "propertyOrdering", "example")


def json_schema(schema: Json) -> dict[str, object]:
    """The schema as JSON schema. What it does not know it keeps."""
    out: dict[str, object] = {}
    for key, value in schema.items():
        if key not in _OWN and value is not None:
            name = _NAMES.get(key, key)
            if (converted := _value(name, value)) is not None:
                out[name] = converted
    _order(schema, out)
    _numbers(out)
    if (example := pick(schema, "example")) is not None:
        out["examples"] = [example]
    if pick(schema, "nullable") is True:
        _or_null(out)
    return out


def _value(name: str, value: object) -> object:
    out: object = value
    match name, value:
        case "type", str():
            out = None if value.upper() == "TYPE_UNSPECIFIED" else value.lower()
        case "type", list():
            out = [each.lower() if isinstance(each, str) else each for each in value]
        case "format", "enum":  # Google's word for a string with an ``enum``
            out = None
        case "$ref", str():
            out = value.replace("#/defs/", "#/$defs/", 1)
        case "properties" | "$defs", dict():
            out = {key: _inner(each) for key, each in value.items()}
        case "items" | "additionalProperties", _:
            out = _inner(value)
        case "anyOf" | "oneOf" | "allOf" | "prefixItems", list():
            out = [_inner(each) for each in value]
        case _, str() if name in _SIZES and value.isdecimal() and len(value) < 20:
            out = int(value)
    return out


def _inner(value: object) -> object:
    return json_schema(value) if isinstance(value, dict) else value


def _order(schema: Json, out: dict[str, object]) -> None:
    order, properties = pick(schema, "propertyOrdering"), out.get("properties")
    if isinstance(order, list) and isinstance(properties, dict):
        first = {key: properties[key] for key in order if isinstance(key, str) and key in properties}
        out["properties"] = {**first, **properties}


def _numbers(out: dict[str, object]) -> None:
    """Google's ``enum`` holds strings, whatever the type."""
    values = out.get("enum")
    if out.get("type") == "integer" and isinstance(values, list):
        out["enum"] = [int(each) if isinstance(each, str) and each.isdecimal() else each for each in values]


def _or_null(out: dict[str, object]) -> None:
    kind, values, choices = out.get("type"), out.get("enum"), out.get("anyOf")
    if isinstance(kind, str) and kind != "null":
        out["type"] = [kind, "null"]
    if isinstance(values, list) and None not in values:
        out["enum"] = [*values, None]
    if isinstance(choices, list) and {"type": "null"} not in choices:
        out["anyOf"] = [*choices, {"type": "null"}]
