"""The fields of a request's body, checked: a wrong one is a BadRequest that names its path.

>>> want("hi", str, "input.0.content"), maybe({"top_p": 1}, "top_p", float), maybe({}, "user", str)
('hi', 1.0, None)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from ccproxy.errors import BadRequest

type Fields = Mapping[str, object]

_WORDS: Final[dict[type, str]] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
}


def bad(at: str, what: str) -> BadRequest:
    """The error to raise for the value at ``at``."""
    return BadRequest(f"{at}: {what}")


def want[T](value: object, kind: type[T], at: str) -> T:
    """The value, if it is of that JSON type; a whole number is a number, too, and ``2.0`` a whole number."""
    number: object = value
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e300:
        number = float(value)
    elif isinstance(value, float) and not math.isfinite(value):
        number = None
    elif kind is int and isinstance(value, float) and value.is_integer():
        number = int(value)
    if isinstance(number, kind) and not (kind is int and isinstance(number, bool)):
        return number
    raise bad(at, f"{_WORDS[kind]} is expected here")


def maybe[T](fields: Fields, key: str, kind: type[T], at: str = "") -> T | None:
    """The field, or None where it is not there or null. ``at``: where ``fields`` stand."""
    value = fields.get(key)
    return None if value is None else want(value, kind, f"{at}.{key}" if at else key)


def fields_at(value: object, at: str) -> Fields:
    """A JSON object."""
    if not isinstance(value, dict):
        raise bad(at, "an object is expected here")
    return value


def list_at(value: object, at: str) -> Sequence[object]:
    """A JSON array."""
    if not isinstance(value, list):
        raise bad(at, "a list is expected here")
    return value


def name_at(value: object, at: str) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise bad(at, "a string that is not empty is expected here")
    return value
