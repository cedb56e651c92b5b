"""JSON text to values: quickly where it can be, and leniently where a provider's or a model's text asks for it.

>>> arguments('{"path": "a.txt", "text": "cut off he')
{'path': 'a.txt'}
"""

from __future__ import annotations

import json
import re
import sys
from typing import Final

from pydantic_core import from_json

_HUGE: Final = re.compile(r"[eE]\+?\d{3}")


def parse(text: str | bytes) -> object:
    """The value of a JSON text. Raises ValueError for anything else, and for NaN.

    Half a surrogate pair is taken, as browsers' ``JSON.parse`` takes it.
    """
    try:
        value: object = from_json(text, allow_inf_nan=False)
    except (TypeError, ValueError) as error:  # TypeError: half a surrogate pair that is not escaped
        if "recursion" in str(error):
            raise
        try:
            return json.loads(text, parse_constant=_no_constant)
        except RecursionError as deep:
            raise ValueError("nested too deeply") from deep
    return value


def arguments(text: str) -> dict[str, object]:
    """A call's arguments for a client: those of a text that was cut off as far as they go, none if they are none.

    Models write line ends into strings as they are.
    """
    if not text or text.isspace():
        return {}
    value: object = None
    for read in (parse, _unescaped, _begun):
        try:
            value = read(text)
            break
        except (TypeError, ValueError, RecursionError):
            continue
    if not isinstance(value, dict):
        return {}
    if _HUGE.search(text) is not None:
        return {key: _finite(each) for key, each in value.items()}
    return value


def _unescaped(text: str) -> object:
    return json.loads(text, strict=False, parse_constant=_no_constant)


def _begun(text: str) -> object:
    return from_json(text, allow_inf_nan=False, allow_partial=True)


def compact(value: object) -> str:
    """JSON text without white space; infinities, which 1e999 is read as and JSON has no word for, as huge numbers."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _finite(value: object) -> object:
    """Without infinities."""
    match value:
        case float() if value in (float("inf"), float("-inf")):
            return sys.float_info.max if value > 0 else -sys.float_info.max
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case list():
            return [_finite(each) for each in value]
        case _:
            return value
