"""Fields of a Gemini request: ProtoJSON, in which a name may be spelt ``topP`` or ``top_p``.

A field that is absent and one that is null are the same. Numbers may be strings (protobuf.dev, "ProtoJSON Format").
``at`` is where an object stands in the client's body; it begins every error.

>>> number({"top_p": "0.5"}, "topP", "generationConfig")
0.5
>>> integer({"topK": 2.5}, "topK", "generationConfig")
Traceback (most recent call last):
ccproxy.errors.BadRequest: generationConfig.topK: an integer is expected, not 2.5
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

from ccproxy.errors import BadRequest

type Json = Mapping[str, object]


@functools.cache
def snake(name: str) -> str:
    """The other spelling of a field of ours.

    >>> snake("functionCall")
    'function_call'
    """
    return re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def both(*names: str) -> frozenset[str]:
    """The names in both spellings."""
    return frozenset(names) | frozenset(map(snake, names))


def pick(of: Json, name: str) -> object:
    """The field, however it is spelt; None if it is not there."""
    value = of.get(name)
    return of.get(snake(name)) if value is None else value


def place(at: str, name: str | int) -> str:
    """Where a field of an object stands."""
    return f"{at}.{name}" if at else str(name)


def wrong(at: str, expected: str, value: object) -> BadRequest:
    """The error for a value of a wrong kind."""
    said = repr(value)
    return BadRequest(f"{at}: {expected} is expected, not {said if len(said) <= 80 else said[:77] + '...'}")


def as_object(value: object, at: str) -> Json:
    """The value, if it is a JSON object."""
    if not isinstance(value, dict):
        raise wrong(at, "an object", value)
    return value


def record(of: Json, name: str, at: str) -> Json | None:
    """A field that is an object."""
    value = pick(of, name)
    return None if value is None else as_object(value, place(at, name))


def records(of: Json, name: str, at: str) -> Iterator[tuple[Json, str]]:
    """The objects of a list, each with its place. One object is a list of one."""
    value = pick(of, name)
    here = place(at, name)
    if isinstance(value, dict):
        yield value, here
        return
    if value is not None and not isinstance(value, list):
        raise wrong(here, "a list", value)
    for index, each in enumerate(value or ()):
        yield as_object(each, place(here, index)), place(here, index)


def string(of: Json, name: str, at: str) -> str | None:
    """A field that is text."""
    value = pick(of, name)
    if value is not None and not isinstance(value, str):
        raise wrong(place(at, name), "a string", value)
    return value


def strings(of: Json, name: str, at: str) -> tuple[str, ...]:
    """A field that is a list of texts."""
    value = pick(of, name)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise wrong(place(at, name), "a list of strings", value)
    return tuple(value)


def boolean(of: Json, name: str, at: str) -> bool | None:
    """A field that is true or false."""
    value = pick(of, name)
    if value is not None and not isinstance(value, bool):
        raise wrong(place(at, name), "true or false", value)
    return value


def number(of: Json, name: str, at: str) -> float | None:
    """A field that is a number."""
    value = pick(of, name)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise wrong(place(at, name), "a number", value)


def integer(of: Json, name: str, at: str) -> int | None:
    """A field that is an integer, ``40``, ``40.0`` or ``"40"``."""
    value = number(of, name, at)
    if value is None or isinstance(value, int):
        return value
    if not value.is_integer():
        raise wrong(place(at, name), "an integer", pick(of, name))
    return int(value)


def word(of: Json, name: str, at: str) -> str | None:
    """A field that is an enum's name; the unspecified one is None."""
    value = string(of, name, at)
    if value is None or not value or value.upper().endswith("_UNSPECIFIED"):
        return None
    return value.upper()
