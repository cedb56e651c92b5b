from __future__ import annotations

import jsonschema
import pytest

from ccproxy.echo.sample import arguments, sample

POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
SCHEMAS = [
    {"type": "string", "minLength": 9, "maxLength": 12},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "minimum": 5},
    {"type": "integer", "exclusiveMinimum": 5, "multipleOf": 4},
    {"type": "integer", "maximum": -3},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 0.75},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["integer", "null"]},
    {"enum": ["north", "south"]},
    {"const": None},
    {"type": "array", "items": POINT, "minItems": 3},
    {"anyOf": [POINT, {"type": "null"}]},
    {"oneOf": [{"type": "null"}, POINT]},
    {"allOf": [POINT, {"properties": {"y": {"type": "boolean"}}, "required": ["y"]}]},
    {"$defs": {"point": POINT}, "type": "object", "properties": {"at": {"$ref": "#/$defs/point"}}, "required": ["at"]},
    {"type": "object", "properties": {"unit": {"default": "C"}}, "required": ["unit"], "additionalProperties": False},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_the_schema_accepts_its_sample(schema: dict[str, object]) -> None:
    jsonschema.validate(sample(schema), schema, format_checker=jsonschema.FormatChecker())
    assert sample(schema) == sample(schema)


def test_geminis_type_names() -> None:
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
    assert arguments(schema) == {"city": "city"}


def test_optional_properties_are_left_out() -> None:
    assert arguments({"type": "object", "properties": {"city": {"type": "string"}}}) == {}


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert set(arguments(node)) == {"next"}


@pytest.mark.parametrize("schema", [True, {}, None, {"type": "string"}], ids=str)
def test_arguments_are_an_object(schema: object) -> None:
    assert arguments(schema) == {}
