"""Names of tools and ids of calls that a dialect refuses, changed to what it takes, and back.

A call's id is written so that it can be read back with no memory: the client's history has it in every later turn. An
id that is too long for that becomes a hash, which is as good: what matters is that call and result agree.

>>> fit_id("functions.bash:0", Dialect.ANTHROPIC)
'cc1_cpqmsorkd5nmsspec9gn6q1q60'
>>> restore_id("cc1_cpqmsorkd5nmsspec9gn6q1q60")
'functions.bash:0'
>>> names = Names(Dialect.OPENAI)
>>> names.fit("mcp__a-very-long-server-name__" + "x" * 60)
'mcp__a-very-long-server-name__xxxxxxxxxxxxxxxxxxxxxxxxx_a75fc22b'
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from ccproxy.lightllm.dialect import Dialect

# Anthropic: API reference, "tools.name" and "tool_use.id". OpenAI: "function.name"; ids of 40 in Chat (seen 2026-11 in
# an error), of 64 in Responses (reference, "call_id"). Google: "FunctionDeclaration.name".
_NAME: Final = {
    Dialect.ANTHROPIC: re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    Dialect.OPENAI: re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    Dialect.OPENAI_RESPONSES: re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    Dialect.GOOGLE: re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"),
}
_NAME_LENGTH: Final = {
    Dialect.ANTHROPIC: 128,
    Dialect.OPENAI: 64,
    Dialect.OPENAI_RESPONSES: 64,
    Dialect.GOOGLE: 64,
}
_ID: Final = {
    Dialect.ANTHROPIC: re.compile(r"[a-zA-Z0-9_-]{1,256}"),
    Dialect.OPENAI: re.compile(r"[\x21-\x7e]{1,40}"),
    Dialect.OPENAI_RESPONSES: re.compile(r"[\x21-\x7e]{1,64}"),
    Dialect.GOOGLE: re.compile(r"[\x21-\x7e]{1,256}"),
}
_ID_LENGTH: Final = {
    Dialect.ANTHROPIC: 256,
    Dialect.OPENAI: 40,
    Dialect.OPENAI_RESPONSES: 64,
    Dialect.GOOGLE: 256,
}
_READABLE: Final = "cc1_"
_HASHED: Final = "cc0_"


def fit_id(call_id: str, target: Dialect) -> str:
    """The id as ``target`` takes it; the same if it does already."""
    if _ID[target].fullmatch(call_id) is not None and not call_id.startswith(_READABLE):
        return call_id
    coded = _READABLE + base64.b32hexencode(call_id.encode("utf-8", "surrogatepass")).decode().rstrip("=").lower()
    if len(coded) <= _ID_LENGTH[target]:
        return coded
    return _HASHED + hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def restore_id(call_id: str) -> str:
    """The id that ``fit_id`` was given; any other as it is."""
    if not call_id.startswith(_READABLE):
        return call_id
    coded = call_id.removeprefix(_READABLE).upper()
    try:
        return base64.b32hexdecode(coded + "=" * (-len(coded) % 8)).decode("utf-8", "surrogatepass")
    except ValueError:
        return call_id


class Names:
    """The tools' names in one exchange."""

    __slots__ = ("_back", "_given", "_target")

    def __init__(self, target: Dialect) -> None:
        self._target = target
        self._given: dict[str, str] = {}
        self._back: dict[str, str] = {}

    def fit(self, name: str) -> str:
        """The name toward the provider."""
        if (fitted := self._given.get(name)) is not None:
            return fitted
        fitted = name if _NAME[self._target].fullmatch(name) is not None else self._made(name)
        self._given[name] = fitted
        if fitted != name:
            self._back[fitted] = name
        return fitted

    def restore(self, name: str) -> str:
        """The client's name of a tool that the provider calls."""
        return self._back.get(name, name)

    def _made(self, name: str) -> str:
        tail = "_" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plain = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
        if not re.match(r"[a-zA-Z_]", plain):
            plain = "_" + plain
        return plain[: _NAME_LENGTH[self._target] - len(tail)] + tail
