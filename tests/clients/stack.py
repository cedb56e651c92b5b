"""Daemon and mock between two taps, and what must hold of every exchange through them."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.clients.gateway import DIRECT
from tests.clients.mock import Mock
from tests.clients.providers import SENTINEL, Provider
from tests.clients.recording import CREDENTIALS, Request
from tests.clients.tap import Tap
from tests.support.daemon import Daemon


@dataclass(slots=True)
class Exchange:
    """What happened while a client ran."""

    sent: list[Request] = field(default_factory=list)
    """By the client, toward the daemon."""
    forwarded: list[Request] = field(default_factory=list)
    """By the daemon, toward the provider."""
    raw: bytes = b""
    """Every byte toward the provider."""
    journal: list[dict[str, Any]] = field(default_factory=list)
    """What the provider says it got."""

    def carrying(self, text: str) -> int:
        """How many requests brought this text to the provider."""
        return sum(text.encode() in request.body for request in self.forwarded)

    def check(self, provider: Provider) -> None:
        """Key, sentinel, body, path and headers are what and where they must be."""
        asked = _ordered(request for request in self.sent if request.method == "POST")
        found = _ordered(self.forwarded)
        assert asked, "the client sent nothing"
        assert [(r.method, r.body) for r in found] == [(r.method, r.body) for r in asked], "a body was altered"
        if provider.path == "/":
            assert [r.target for r in found] == [r.target for r in asked]
        for before, after in zip(asked, found, strict=True):
            assert _other_fields(after) == _other_fields(before)
        assert [entry["method"] for entry in self.journal] == ["POST"] * len(found)
        if DIRECT:
            return
        for before, after in zip(asked, found, strict=True):
            assert [value.removeprefix("Bearer ") for _, value in before.credentials] == [provider.sentinel]
            assert after.credentials == (provider.credential,)
        assert SENTINEL.encode() not in self.raw, "a sentinel went upstream"
        assert SENTINEL not in json.dumps(self.journal)

    def check_translated(self, provider: Provider) -> None:
        """All went to this provider in its own format, with its own key; nothing of the client's came along."""
        assert self.forwarded, "nothing arrived"
        own = FORMATS[provider.type]
        for request in self.forwarded:
            assert (request.method, bool(own.target.fullmatch(request.target))) == ("POST", True), request.target
            body = json.loads(request.body)
            assert set(body) <= own.keys, set(body) - own.keys
            assert request.credentials == (provider.credential,)
            names = {name.lower() for name, _ in request.headers} - set(CREDENTIALS)
            assert not [name for name in names if name.startswith(FOREIGN_FIELDS) and not name.startswith(own.fields)]
        assert SENTINEL.encode() not in self.raw, "a sentinel went upstream"
        assert SENTINEL not in json.dumps(self.journal)


@dataclass(frozen=True, slots=True)
class Format:
    """What a provider's requests look like."""

    target: re.Pattern[str]
    keys: frozenset[str]
    fields: tuple[str, ...] = ()
    """Beginnings of the names of its own header fields."""


FOREIGN_FIELDS = ("anthropic-", "x-stainless-", "x-goog-", "openai-", "x-codex-", "x-app", "x-claude-", "originator")
_GENERATION = "max_tokens model stream system temperature tool_choice tools top_p"
FORMATS = {
    "anthropic": Format(
        re.compile(r"/v1/messages"),
        frozenset(f"{_GENERATION} messages metadata output_config stop_sequences thinking top_k".split()),
        ("anthropic-version",),
    ),
    "openai": Format(
        re.compile(r"/v1/chat/completions"),
        frozenset(
            f"{_GENERATION} messages max_completion_tokens parallel_tool_calls prompt_cache_key reasoning_effort "
            "response_format seed stop store stream_options user verbosity metadata".split()
        )
        - {"system"},
    ),
    "openai_responses": Format(
        re.compile(r"/v1/responses"),
        frozenset(
            f"{_GENERATION} include input instructions max_output_tokens metadata parallel_tool_calls prompt_cache_key "
            "reasoning safety_identifier store text".split()
        )
        - {"system", "max_tokens"},
    ),
    "google": Format(
        re.compile(r"/v1beta/models/[^/:]+:(generateContent|streamGenerateContent\?alt=sse)"),
        frozenset({"contents", "generationConfig", "systemInstruction", "toolConfig", "tools"}),
    ),
}
"""By the provider's type."""


def _ordered(requests: Iterator[Request] | list[Request]) -> list[Request]:
    """Parallel requests in an order that both taps agree on."""
    return sorted(requests, key=lambda request: (request.body, request.target))


_OWN_FIELDS = (*CREDENTIALS, "host", "connection", "content-length", "transfer-encoding", "accept-encoding")
"""What belongs to one hop, or is the daemon's to decide: it must be able to read what comes back."""


def _other_fields(request: Request) -> list[tuple[str, str]]:
    """The header fields that nobody has a reason to touch."""
    return [(name, value) for name, value in request.headers if name.lower() not in _OWN_FIELDS]


@dataclass(frozen=True, slots=True)
class Stack:
    """A running arrangement."""

    mock: Mock
    front: Tap
    """Where clients go."""
    back: Tap
    """Where the daemon goes."""
    daemon: Daemon | None
    """What runs between them."""

    @property
    def origin(self) -> str:
        """The base URL of the clients, without a path."""
        return f"http://127.0.0.1:{self.front.port}"

    @contextlib.contextmanager
    def exchange(self) -> Iterator[Exchange]:
        """Record what happens inside; the fields are filled in at the end."""
        self.mock.clear()
        exchange, marks = Exchange(), (self.front.mark(), self.back.mark())
        yield exchange
        exchange.sent, exchange.forwarded = self.front.requests(marks[0]), self.back.requests(marks[1])
        exchange.raw = b"\n".join(sent for sent, _ in self.back.since(marks[1]))
        exchange.journal = self.mock.journal()
