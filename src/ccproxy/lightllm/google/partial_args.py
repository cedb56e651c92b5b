"""Arguments of a call that come piece by piece (Vertex AI, "FunctionCall.partialArgs", "PartialArg").

Each piece is a JSON path (RFC 9535) and a scalar; strings come in several with the same path::

    {"jsonPath": "$.steps[0].name", "stringValue": "Mi", "willContinue": true}
    {"jsonPath": "$.steps[0].name", "stringValue": "x"}
    {"jsonPath": "$.steps[0].minutes", "numberValue": 3}

>>> partial = PartialArguments({})
>>> partial.put({"jsonPath": "$.a[0]['b c']", "stringValue": "Mi"})
>>> partial.put({"jsonPath": "$.a[0]['b c']", "stringValue": "x"})
>>> partial.whole()
{'a': [{'b c': 'Mix'}]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from ccproxy.errors import UpstreamError

LIMIT: Final = 8 << 20
"""Most characters of one call's arguments that are put together."""
_STEP: Final = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_ESCAPE: Final = re.compile(r"\\(.)")
_SCALARS: Final = ("stringValue", "numberValue", "boolValue")

type _Key = str | int


class PartialArguments:
    """The arguments of one call so far."""

    __slots__ = ("_root", "_size", "_strings")

    def __init__(self, begun: Mapping[str, object]) -> None:
        self._root: dict[str, object] = dict(begun)
        self._strings: dict[str, tuple[object, _Key, list[str]]] = {}
        """Path → where the string belongs, and its pieces."""
        self._size = 0

    def put(self, piece: Mapping[str, object]) -> None:
        """Add a piece. Raises UpstreamError for one that does not fit to the others."""
        path = piece.get("jsonPath")
        scalar = next((piece[name] for name in _SCALARS if piece.get(name) is not None), None)
        if not isinstance(path, str) or isinstance(scalar, dict | list):
            raise _misfit(path)
        self._size += len(path) + (len(scalar) if isinstance(scalar, str) else 20)
        if self._size > LIMIT:
            raise UpstreamError(f"the arguments of a call are longer than {LIMIT} characters")
        if isinstance(scalar, str) and (known := self._strings.get(path)) is not None:
            known[2].append(scalar)
            return
        keys = _steps(path)
        if not keys:  # the arguments as a whole, which are no scalar
            return
        node: object = self._root
        for key, following in pairwise(keys):
            node = _child(node, key, [] if isinstance(following, int) else {}, path)
        _set(node, keys[-1], scalar, path)
        self._strings.pop(path, None)
        if isinstance(scalar, str):
            self._strings[path] = (node, keys[-1], [scalar])

    def whole(self) -> dict[str, object]:
        """All that has come."""
        for path, (node, key, pieces) in self._strings.items():
            _set(node, key, "".join(pieces), path)
        self._strings.clear()
        return self._root


def _steps(path: str) -> list[_Key]:
    if not path.startswith("$"):
        raise _misfit(path)
    keys: list[_Key] = []
    at = 1
    while at < len(path):
        if (step := _STEP.match(path, at)) is None:
            raise _misfit(path)
        name, index, single, double = step.groups()
        if index is not None:
            keys.append(int(index))
        else:
            keys.append(name if name is not None else _ESCAPE.sub(r"\1", single if single is not None else double))
        at = step.end()
    return keys


def _child(node: object, key: _Key, default: object, path: str) -> object:
    match node, key:
        case dict(), str():
            return node.setdefault(key, default)
        case list(), int():
            _grow(node, key, path)
            if node[key] is None:
                node[key] = default
            return node[key]
        case _:
            raise _misfit(path)


def _set(node: object, key: _Key, value: object, path: str) -> None:
    match node, key:
        case dict(), str():
            node[key] = value
        case list(), int():
            _grow(node, key, path)
            node[key] = value
        case _:
            raise _misfit(path)


def _grow(values: list[object], index: int, path: str) -> None:
    if index > len(values):
        raise _misfit(path)
    if index == len(values):
        values.append(None)


def _misfit(path: object) -> UpstreamError:
    return UpstreamError(f"the provider sends an argument in pieces that do not fit together, at {str(path)[:80]!r}")
