"""Google's own schemas, as google-genai and the REST reference spell them, to JSON schema."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ccproxy.lightllm.google.schema import json_schema


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "STRING", "format": "enum", "enum": ["a"]}, {"type": "string", "enum": ["a"]}),
        ({"type": "STRING", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": "INTEGER", "enum": ["1", "2"]}, {"type": "integer", "enum": [1, 2]}),
        ({"type": "NUMBER", "minimum": 0.5, "maximum": None}, {"type": "number", "minimum": 0.5}),
        ({"type": "TYPE_UNSPECIFIED", "description": "d"}, {"description": "d"}),
        ({"type": ["STRING", "NULL"]}, {"type": ["string", "null"]}),
        ({"type": "NULL", "nullable": True}, {"type": "null"}),
        ({"type": "STRING", "nullable": False}, {"type": "string"}),
        ({"type": "STRING", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        (
            {"anyOf": [{"type": "STRING"}], "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        (
            {"type": "ARRAY", "items": {"type": "OBJECT"}, "minItems": "1", "max_items": 3},
            {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 3},
        ),
        (
            {"type": "OBJECT", "properties": {"type": {"type": "STRING"}, "any_of": {"type": "BOOLEAN"}}},
            {"type": "object", "properties": {"type": {"type": "string"}, "any_of": {"type": "boolean"}}},
        ),
        (
            {"any_of": [{"type": "STRING", "min_length": "2"}], "example": "ab", "title": "t"},
            {"anyOf": [{"type": "string", "minLength": 2}], "title": "t", "examples": ["ab"]},
        ),
        (
            {"type": "OBJECT", "additional_properties": {"ref": "#/defs/A"}, "defs": {"A": {"type": "STRING"}}},
            {
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/A"},
                "$defs": {"A": {"type": "string"}},
            },
        ),
        ({"additionalProperties": False, "x": {"type": "A"}}, {"additionalProperties": False, "x": {"type": "A"}}),
        ({"type": "object", "properties": {"a": True}}, {"type": "object", "properties": {"a": True}}),
    ],
)  # fmt: skip
def test_schemas(schema: Any, expected: Any) -> None:
    found = json_schema(schema)
    assert found == expected
    Draft202012Validator.check_schema(found)


@pytest.mark.parametrize("key", ["propertyOrdering", "property_ordering"])
def test_properties_are_ordered(key: str) -> None:
    properties = {"a": {}, "b": {}, "c": {}}
    found = json_schema({"properties": properties, key: ["c", "a", "gone"]})
    assert list(found["properties"]) == ["c", "a", "b"]  # type: ignore[call-overload]
    assert set(found) == {"properties"}
