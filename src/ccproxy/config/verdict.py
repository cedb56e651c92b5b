"""What pydantic found, in words for people and at the place in the file.

An error's place is a path of keys, in which pydantic also notes the alternative of a union (in angle brackets here)
and ``[key]`` for the name of an entry. A message quotes names of providers, types and hooks, never any other value:
it may be a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ccproxy.config.keys import names_at
from ccproxy.config.section import Loc, did_you_mean
from ccproxy.config.settings import Settings
from ccproxy.errors import Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WORDS: Final = {
    "missing": "is missing",
    "string_type": "should be text; put quotes around it",
    "path_type": "should be a path; put quotes around it",
    "model_type": "should be a mapping of keys",
    "model_attributes_type": "should be a mapping of keys",
    "dict_type": "should be a mapping of names",
    "tuple_type": "should be a list",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "finite_number": "should be a finite number",
}
_SECTION_TYPES: Final = frozenset({"model_type", "model_attributes_type", "dict_type", "tuple_type"})


def place_of(error: ErrorDetails) -> Loc:
    """The keys and indices that lead to the value, as they are in the file."""
    return tuple(step for step in error["loc"] if not (isinstance(step, str) and step[:1] in "<["))


def is_unknown_key(error: ErrorDetails) -> bool:
    """Whether this is a key that the section does not have: a warning."""
    return error["type"] == "extra_forbidden"


def is_empty_section(error: ErrorDetails, settings: Settings) -> bool:
    """Whether this is a section with nothing beneath it, which YAML reads as null."""
    loc = place_of(error)
    return error["type"] in _SECTION_TYPES and isinstance(loc[-1], str) and settings.value(loc) is None


def describe(error: ErrorDetails, settings: Settings) -> Problem:
    """The problem to show for one of pydantic's errors."""
    loc = place_of(error)
    if is_unknown_key(error):
        names = names_at(loc[:-1])
        return settings.problem(
            loc, f"is no key of this section, and ignored{did_you_mean(str(loc[-1]), names)}", warning=True
        )
    if "[key]" in error["loc"]:
        return settings.problem(loc, "should be a name of letters, digits, - and _ only")
    message = _WORDS.get(error["type"]) or error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return settings.problem(loc, message.replace("String should", "should"))
