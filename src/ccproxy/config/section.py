"""What every section of the configuration has in common.

A section is a frozen pydantic model. Each field has a default, and a docstring beneath that says what it means and
in which unit: the JSON schema, the template and the README are made from them. Rules that concern several keys are
``findings`` on the *raw* values, so that they are reported together with the errors of single keys and not one
edit later.

>>> class Range(CrossChecked):
...     low: int = 0
...     high: int = 9
...     @classmethod
...     def findings(cls, raw):
...         if raw.get("low", 0) > raw.get("high", 9):
...             yield Finding(("low",), "is above high")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

type Loc = tuple[str | int, ...]
"""Where a value sits: keys and list indices from the section's root."""

SECRET = Field(repr=False, json_schema_extra={"writeOnly": True})
"""Marks a field whose text is a secret: never in a repr, never printed by ``config show``."""


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, and errors that never quote the value."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a combination of keys."""

    loc: Loc
    """The key to blame, relative to the section that found it."""
    message: str


class CrossChecked(Section):
    """A section with rules that concern several of its keys."""

    @classmethod
    def findings(cls, raw: Mapping[str, object]) -> Iterator[Finding]:
        """What is wrong with the combination. ``raw`` is unvalidated: any value may have any type."""
        raise NotImplementedError

    @model_validator(mode="wrap")
    @classmethod
    def _report_findings_beside_field_errors(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # A validator that runs after the fields would stay silent until every single field is right.
        errors: list[InitErrorDetails] = []
        made: Self | None = None
        try:
            made = handler(data)
        except ValidationError as error:
            errors += [_repeat(detail["type"], detail["msg"], detail["loc"]) for detail in error.errors()]
        if isinstance(data, Mapping):
            errors += [_repeat("value_error", found.message, found.loc) for found in cls.findings(data)]
        if errors or made is None:
            raise ValidationError.from_exception_data(cls.__name__, errors, hide_input=True)
        return made


def _repeat(kind: str, message: str, loc: Loc) -> InitErrorDetails:
    error = PydanticCustomError(kind, message)
    return InitErrorDetails(type=error, loc=loc, input=None)


def part(value: object, *keys: str) -> object:
    """The value under ``keys`` in raw mappings or finished sections; None where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)
    return value


def did_you_mean(word: str, words: list[str] | tuple[str, ...]) -> str:
    """``; did you mean "host"?`` if one of ``words`` is close, else nothing."""
    close = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
