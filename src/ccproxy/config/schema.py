"""The JSON schema of ``ccproxy.yaml``, for editors, Nix and the README (JSON Schema 2020-12).

The same text for the same version of the code: keys are in the order of the models.
"""

from __future__ import annotations

import json

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ccproxy.config.model import Config
from ccproxy.config.settings import ROOT


class _Untitled(GenerateJsonSchema):
    """Without titles, which would repeat each name in other letters, and without the defaults of whole sections."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if isinstance(made.get("default"), dict):
            made.pop("default")
        return made


def json_schema() -> JsonSchemaValue:
    """The schema of a whole file."""
    body = Config.model_json_schema(schema_generator=_Untitled)
    definitions = body.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ccproxy.yaml",
        "type": "object",
        "properties": {ROOT: {"$ref": "#/$defs/Config"}},
        "additionalProperties": False,
        "$defs": {"Config": body, **definitions},
    }


def schema_text() -> str:
    """The schema as JSON with a final newline."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
