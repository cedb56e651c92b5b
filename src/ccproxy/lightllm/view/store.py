"""Write what a hook made of a view into the bytes of the body, at the places that it changed."""

from __future__ import annotations

from collections.abc import Sequence

from ccproxy.lightllm.json_edit import Path, delete, dumps, insert, loads, replace
from ccproxy.lightllm.json_update import update_at, update_elements
from ccproxy.lightllm.view.carry import Json, ViewError


def read(raw: bytes) -> Json:
    """The body as a JSON object. Raises ViewError for anything else."""
    body = loads(raw)
    if not isinstance(body, dict):
        raise ViewError("the body is no JSON object; it has no messages")
    return body


def store_elements(
    raw: bytes, path: Path, old: Sequence[Json], new: Sequence[Json], *, start: int = 0, present: bool = True
) -> bytes:
    """Change those elements of an array that ``old`` stands for; make the array if it is not ``present``."""
    if dumps(old) == dumps(new):
        return raw
    if not present:
        return set_value(raw, path, list(new))
    return update_elements(raw, path, start, old, new)


def store_value(raw: bytes, path: Path, old: object, new: object) -> bytes:
    """Change one value; None stands for a key that is not there."""
    if dumps(old) == dumps(new):
        return raw
    if new is None:
        return delete(raw, path)
    return set_value(raw, path, new) if old is None else update_at(raw, path, old, new)


def set_value(raw: bytes, path: Path, value: object) -> bytes:
    """Write a key, whether or not it is there already."""
    try:
        return insert(raw, path, dumps(value))
    except KeyError:
        return replace(raw, path, dumps(value))
