"""Which schemas the API enforces, and in what words."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.lightllm.anthropic.schema import enforced, object_schema

type Json = dict[str, Any]


def obj(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def closed(**properties: Json) -> Json:
    return {**obj(**properties), "additionalProperties": False}


NODE: Json = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (obj(a={"type": "string"}), closed(a={"type": "string"})),
        ({"properties": {"a": {"enum": ["x", 1]}}, "required": ["a"]}, closed(a={"enum": ["x", 1]})),
        (obj(a={"type": ["string", "null"], "const": "x"}), closed(a={"type": ["string", "null"], "const": "x"})),
        (
            obj(a={"type": "string", "minLength": 2, "pattern": "^a", "description": "an a"}),
            closed(a={"type": "string", "description": "an a\n(minLength: 2, pattern: ^a)"}),
        ),
        (
            obj(a={"type": "string", "format": "date"}, b={"type": "string", "format": "color"}),
            closed(a={"type": "string", "format": "date"}, b={"type": "string", "description": "(format: color)"}),
        ),
        (
            obj(a={"type": "array", "items": obj(), "minItems": 1, "maxItems": 3}),
            None,  # an object of which nothing is known
        ),
        (
            obj(a={"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3}),
            closed(a={"type": "array", "items": {"type": "number"}, "minItems": 1, "description": "(maxItems: 3)"}),
        ),
        (
            obj(a={"oneOf": [{"type": "string"}, obj(b={"type": "null"})]}),
            closed(a={"anyOf": [{"type": "string"}, closed(b={"type": "null"})]}),
        ),
        (obj(a={"allOf": [{"type": "string"}], "title": "A"}), closed(a={"type": "string", "title": "A"})),
        (
            {**obj(a={"$ref": "#/$defs/x"}), "$defs": {"x": obj(b={"type": "string"})}, "$schema": "https://…"},
            {**closed(a={"$ref": "#/$defs/x"}), "$defs": {"x": closed(b={"type": "string"})}},
        ),
        (closed(), closed()),
        # what cannot be said
        ({"type": "object"}, None),
        ({"type": "object", "additionalProperties": {"type": "string"}}, None),
        ({**obj(a={"type": "string"}), "additionalProperties": {"type": "string"}}, None),
        (obj(a={}), None),
        (obj(a={"$ref": "https://e.example/x"}), None),
        (obj(a={"enum": [{}]}), None),
        (obj(a={"allOf": [{"type": "string"}, {"minLength": 1}]}), None),
        ({**obj(a={"$ref": "#/$defs/node"}), "$defs": {"node": NODE}}, None),
        (obj(a={"type": "array", "items": {"$ref": "#"}}), None),
        ({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(25)}}, None),
        (obj(**{f"p{n}": {"type": ["string", "null"]} for n in range(17)}), None),
        ({"type": "object", "properties": {"a": True}}, None),
    ],
)
def test_enforced(schema: Json, found: Json | None) -> None:
    made = enforced(schema)
    assert (made.schema if made is not None else None) == found
    assert made is None or enforced(made.schema) == made


def test_what_is_no_schema_is_passed_on() -> None:
    """The API says what is wrong with it."""
    made = enforced({"properties": {"a": {"type": "string", "format": {}, "enum": 7}}, "required": [{}]})
    assert made is not None
    assert made.schema["properties"] == {"a": {"type": "string", "description": "(format: {}, enum: 7)"}}


def test_deep_schemas_end() -> None:
    schema: Json = {"type": "string"}
    for _ in range(500):
        schema = {"type": "array", "items": schema}
    assert enforced(obj(a=schema)) is None


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object"}),
        (obj(a={"type": "string"}), obj(a={"type": "string"})),
        (
            {"anyOf": [obj(a={"type": "string"}), obj(b={"type": "string"})], "properties": {"b": {"type": "null"}}},
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "null"}}},
        ),
        ({"type": ["object", "null"], "description": "d"}, {"type": "object", "description": "d"}),
    ],
)
def test_schemas_of_tools(schema: Json | None, found: Json) -> None:
    assert object_schema(schema) == found
