"""Fields of a request, taken as what they must be; anything else is a BadRequest that names the field.

>>> string({"type": "text"}, "type", "messages.0.content.0")
'text'
>>> string({"type": 3}, "type", "messages.0.content.0")
Traceback (most recent call last):
ccproxy.errors.BadRequest: messages.0.content.0.type: this must be a string, not a number
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ccproxy.errors import BadRequest

type Object = Mapping[str, object]

_WORDS: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def wrong(at: str, expected: str, value: object) -> BadRequest:
    """The error for a value of another type, or for one that is missing."""
    found = "missing" if value is None else _WORDS.get(type(value), "something else")
    return BadRequest(f"{at}: this must be {expected}" + ("" if value is None else f", not {found}"))


def mapping(value: object, at: str) -> Object:
    """An object."""
    if not isinstance(value, dict):
        raise wrong(at, "an object", value)
    return value


def array(value: object, at: str) -> list[object]:
    """An array."""
    if not isinstance(value, list):
        raise wrong(at, "an array", value)
    return value


def string(owner: Object, key: str, at: str) -> str:
    """A string that has to be there."""
    value = owner.get(key)
    if not isinstance(value, str):
        raise wrong(f"{at}.{key}" if at else key, "a string", value)
    return value


def string_or_none(owner: Object, key: str, at: str) -> str | None:
    """A string, null or nothing."""
    return None if owner.get(key) is None else string(owner, key, at)


def flag(owner: Object, key: str, at: str) -> bool | None:
    """True, false, null or nothing."""
    value = owner.get(key)
    if value is not None and not isinstance(value, bool):
        raise wrong(f"{at}.{key}" if at else key, "true or false", value)
    return value


def whole(owner: Object, key: str, at: str) -> int | None:
    """A whole number, null or nothing. ``8192.0`` is one, as JSON has it."""
    value = owner.get(key)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise wrong(f"{at}.{key}" if at else key, "a whole number", value)
    return value


def number(owner: Object, key: str, at: str) -> float | None:
    """A number, null or nothing."""
    value = owner.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise wrong(f"{at}.{key}" if at else key, "a number", value)
    return value
