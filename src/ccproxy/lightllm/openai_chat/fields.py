"""The fields of a request's body, checked: a wrong one is a BadRequest that names its path.

>>> integer({"seed": 3.0}, "seed"), string({}, "user"), flag({"store": None}, "store")
(3, None, None)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ccproxy.errors import BadRequest

type Fields = Mapping[str, object]


def bad(at: str, what: str) -> BadRequest:
    """The error to raise for the value at ``at``."""
    return BadRequest(f"{at}: {what}")


def object_at(value: object, at: str) -> Fields:
    """A JSON object."""
    if not isinstance(value, dict):
        raise bad(at, "an object is expected here")
    return value


def array_at(value: object, at: str) -> list[object]:
    """A JSON array."""
    if not isinstance(value, list):
        raise bad(at, "a list is expected here")
    return value


def array(fields: Fields, key: str) -> list[object]:
    """The JSON array, empty where there is none."""
    return [] if (value := fields.get(key)) is None else array_at(value, key)


def string_at(value: object, at: str) -> str:
    """A string, which may be empty."""
    if not isinstance(value, str):
        raise bad(at, "a string is expected here")
    return value


def name_at(value: object, at: str) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise bad(at, "a string that is not empty is expected here")
    return value


def string(fields: Fields, key: str) -> str | None:
    """The string, or None where there is none, null or an empty one."""
    value = fields.get(key)
    return None if value is None else string_at(value, key) or None


def flag(fields: Fields, key: str) -> bool | None:
    """The boolean, or None where there is none."""
    value = fields.get(key)
    if value is not None and not isinstance(value, bool):
        raise bad(key, "true or false is expected here")
    return value


def number(fields: Fields, key: str) -> float | None:
    """The number, or None where there is none."""
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(key, "a number is expected here")
    if isinstance(value, float) and not math.isfinite(value):
        raise bad(key, "a finite number is expected here")
    return value


def integer(fields: Fields, key: str) -> int | None:
    """The whole number, ``1024.0`` included, or None where there is none."""
    value = number(fields, key)
    if value is not None and (not isinstance(value, int) and not value.is_integer()):
        raise bad(key, "a whole number is expected here")
    return None if value is None else int(value)
