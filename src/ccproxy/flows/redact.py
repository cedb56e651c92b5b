"""Takes secrets out of whatever is about to be kept, shown or sent.

First by *value*: every secret that this process resolved, in every form of :mod:`~ccproxy.flows.needles`. Then by
*shape*: :mod:`~ccproxy.flows.patterns`. In text, headers and URLs a secret becomes ``[redacted]``; in a body it becomes
as many ``*``, so that lengths, offsets and JSON stay what they were.

>>> redactor = Redactor(lambda: frozenset({"correct-horse-battery"}))
>>> redactor.scrub(b"key is correct-horse-battery")
b'key is [redacted]'
>>> redactor.scrub_body(b'{"echo": "correct-horse-battery"}').data
b'{"echo": "*********************"}'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from ccproxy.flows import patterns
from ccproxy.flows.needles import SHORT, forms
from ccproxy.flows.record import Cut
from ccproxy.flows.scan import Scanner
from ccproxy.flows.scrub_stream import Needles, StreamScrubber

MARK = b"[redacted]"
_TELLING = 4
"""Bytes. Fewer than this of a secret's beginning, at the end of what was captured, are there by chance."""
_COOKIE_VALUE = re.compile(rb"=[^;]*")
_SCHEME = re.compile(rb"(?:[A-Za-z][A-Za-z0-9-]*[ \t]+)?")
_SENTINEL = re.compile(rb"sk-ant-oat-ccproxy-[A-Za-z0-9_-]+(?P<token>\..*)?")
_USERINFO = re.compile(rb"(?<=://)[^/?#@\s]+(?=@)")


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A body that may be kept."""

    data: bytes
    cuts: tuple[Cut, ...]


@dataclass(frozen=True, slots=True)
class _Values:
    """One set of secrets, made ready for searching."""

    secrets: frozenset[str]
    labels: dict[bytes, str]
    scanner: Scanner
    """Of every form, short secrets included."""
    exact: re.Pattern[bytes] | None
    needles: Needles
    """Of the long ones."""


def _prepare(secrets: frozenset[str]) -> _Values:
    labels: dict[bytes, str] = {}
    short: set[bytes] = set()
    for secret in secrets:
        if not secret.strip():
            continue
        found = forms(secret)
        if len(secret.encode("utf-8", "surrogatepass")) < SHORT:
            short.update(found)
        for form, label in found.items():
            labels.setdefault(form, label)
    long = labels.keys() - short
    alternatives = [re.escape(form) for form in sorted(long, key=len, reverse=True)]
    alternatives += [
        rb"(?<![A-Za-z0-9_])" + re.escape(form) + rb"(?![A-Za-z0-9_])" for form in sorted(short, key=len, reverse=True)
    ]
    return _Values(
        secrets,
        labels,
        Scanner.of_literals(labels),
        re.compile(b"|".join(alternatives)) if alternatives else None,
        Needles.of(long),
    )


_prepare_once = lru_cache(maxsize=16)(_prepare)
"""For secrets that come again with the next request, and are not this process's own."""


class Redactor:
    """Redacts with the secrets that ``secrets()`` names at the moment of each call. May be used by several threads."""

    def __init__(self, secrets: Callable[[], frozenset[str]]) -> None:
        self._secrets = secrets
        self._prepared = _prepare(frozenset())
        self._base: Redactor | None = None

    def also(self, secrets: frozenset[str]) -> Redactor:
        """One that cuts these out as well; this one itself if there are none."""
        if not secrets:
            return self
        wider = Redactor(lambda: secrets)
        wider._prepared, wider._base = _prepare_once(secrets), self
        return wider

    def _values(self) -> _Values:
        secrets = self._secrets()
        prepared = self._prepared
        if prepared.secrets != secrets:
            prepared = self._prepared = _prepare(secrets)
        return prepared

    def _all_values(self) -> tuple[_Values, ...]:
        own = self._values()
        return (own,) if self._base is None else (own, *self._base._all_values())

    def suspect(self, data: bytes) -> bool:
        """Whether anything in ``data`` looks like a secret. False is certain; cheap enough for every message."""
        text = data.decode("latin-1")
        return any(values.scanner.hits_text(text) for values in self._all_values()) or patterns.suspect(text)

    def scrub(self, data: bytes) -> bytes:
        """``data`` with ``[redacted]`` for every secret; the same object if there is none."""
        spans = self._spans(data)
        return _replace(data, spans, lambda _: MARK) if spans else data

    def scrub_text(self, text: str) -> str:
        """The same for text."""
        data = text.encode("utf-8", "surrogatepass")
        spans = self._spans(data)
        return _replace(data, spans, lambda _: MARK).decode("utf-8", "surrogatepass") if spans else text

    def scrub_url(self, url: str) -> str:
        """The same for a URL, without user and password."""
        data = self.scrub(url.encode("utf-8", "surrogatepass"))
        return _USERINFO.sub(MARK, data).decode("utf-8", "surrogatepass")

    def scrub_body(self, data: bytes, *, truncated: bool = False) -> Scrubbed:
        """A body at its length with ``*`` over every secret, and where they were.

        ``truncated``: the body goes on beyond ``data``, so a secret may be cut in two by its end; that half goes too.
        """
        spans = self._spans(data)
        if truncated:
            start = min(values.needles.held_from(data) for values in self._all_values())
            if len(data) - start >= _TELLING:
                spans = _merge([*spans, (start, len(data), "secret (cut off)")])
        if not spans:
            return Scrubbed(data, ())
        cuts = tuple(Cut(start, end - start, label) for start, end, label in spans)
        return Scrubbed(_replace(data, spans, lambda length: b"*" * length), cuts)

    def stream(self) -> StreamScrubber:
        """Masks the resolved secrets of at least 8 bytes in a stream, by value only."""
        return StreamScrubber(self._values().needles)

    def _spans(self, data: bytes) -> list[tuple[int, int, str]]:
        text = data.decode("latin-1")
        found: list[tuple[int, int, str]] = []
        for values in self._all_values():
            if values.exact is not None and values.scanner.hits_text(text):
                found += [
                    (match.start(), match.end(), f"secret ({values.labels[match.group()]})")
                    for match in values.exact.finditer(data)
                ]
        if patterns.suspect(text):
            found += patterns.find(data)
        return _merge(found)


def scrub_value(name: bytes, value: bytes) -> bytes:
    """A header's value without what its *name* says is secret: scheme, cookie names and sentinel stay readable.

    >>> scrub_value(b"Authorization", b"Bearer abc"), scrub_value(b"x-api-key", b"sk-ant-oat-ccproxy-deepseek.t0k3n")
    (b'Bearer [redacted]', b'sk-ant-oat-ccproxy-deepseek.[redacted]')
    """
    if not patterns.is_secret_header(name):
        return value
    lowered = name.lower()
    if lowered == b"cookie":
        return _COOKIE_VALUE.sub(b"=" + MARK, value) if b"=" in value else MARK
    if lowered == b"set-cookie":
        return _COOKIE_VALUE.sub(b"=" + MARK, value, count=1) if b"=" in value else MARK
    scheme = _SCHEME.match(value)
    start = scheme.end() if scheme else 0
    sentinel = _SENTINEL.fullmatch(value, start)
    if sentinel is None:
        return value[:start] + MARK
    return value[: sentinel.start("token")] + b"." + MARK if sentinel["token"] else value


def _merge(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """In order and apart; where two overlap, the label of the one that starts first."""
    merged: list[tuple[int, int, str]] = []
    for start, end, label in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            first, last, kept = merged[-1]
            merged[-1] = (first, max(last, end), kept)
        elif end > start:
            merged.append((start, end, label))
    return merged


def _replace(data: bytes, spans: list[tuple[int, int, str]], fill: Callable[[int], bytes]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end, _ in spans:
        parts += (data[at:start], fill(end - start))
        at = end
    parts.append(data[at:])
    return b"".join(parts)
