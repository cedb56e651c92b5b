"""An answer on its way to the client: passed on at once, searched, watched and captured.

Called by mitmproxy with every chunk as it arrives (``flow.response.stream``), synchronously. Per chunk, in order:

1. decode the content coding, if a credential was sent (a reflected key could hide in gzip) or the format is known;
2. blank out a reflected credential (same length, so that a content-length stays true);
3. tell the tap (usage, stop reason, completeness) and capture up to the cap;
4. pass it on, or what the translation makes of it. Never an empty chunk: it would end a chunked HTTP/1 body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, Protocol

from ccproxy.flows.record import Body
from ccproxy.listener.coding import Decoder, Undecodable

BOMB_BYTES: Final = 16 << 20
"""One chunk off the wire (64 KiB at most) that decodes to more is an attack: events and JSON shrink to a tenth."""


class Tap(Protocol):
    """Watches a stream of events without changing it."""

    def feed(self, chunk: bytes) -> None: ...


class Scrub(Protocol):
    """Blanks secrets across chunk borders."""

    def feed(self, chunk: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


class Capture:
    """The first ``limit`` bytes of a body, its true size and, past the limit, the hash of all of it."""

    __slots__ = ("digest", "kept", "limit", "parts", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts: list[bytes] = []
        self.kept = 0
        self.size = 0
        self.digest: hashlib._Hash | None = None

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.digest is not None:
            self.digest.update(chunk)
        elif self.size > self.limit:
            self.digest = hashlib.sha256(b"".join(self.parts))
            self.digest.update(chunk)
        if room := self.limit - self.kept:
            piece = chunk[:room]
            self.parts.append(piece)
            self.kept += len(piece)

    def body(self) -> Body:
        digest = self.digest.hexdigest() if self.digest is not None else ""
        return Body(b"".join(self.parts), self.size, digest, self.size > self.kept)


class Answer:
    """The stream callable of one response."""

    def __init__(
        self,
        capture: Capture,
        *,
        decoder: Decoder | None = None,
        scrub: Scrub | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.capture = capture
        self.decoder = decoder
        self.scrub = scrub
        self.tap = tap
        self.decoded = 0
        """Bytes that the current chunk has become."""
        self.on_break: Callable[[], None] = lambda: None
        """Called once, when the body turns out not to be what its coding says."""
        self.broken = ""
        """Why decoding failed; the rest of the body is withheld."""
        self.ended = False
        """The upstream's last byte has been here."""
        self.through: Callable[[bytes], list[bytes]] | None = None
        """Makes the client's bytes of the provider's; None: they are the same."""
        self.on_end: Callable[[], bytes] = bytes
        """Asked once, after the upstream's last byte, for more to send: the error event of a short answer."""

    def __call__(self, chunk: bytes) -> list[bytes]:
        if not chunk:
            return self.end()
        if self.decoder is None:
            return [] if self.broken else self.watch(chunk)
        out: list[bytes] = []
        self.decoded = 0
        try:
            for piece in () if self.broken else self.decoder.feed(chunk):
                self.decoded += len(piece)
                if self.decoded > BOMB_BYTES:
                    raise Undecodable(f"{len(chunk)} bytes of it become more than {BOMB_BYTES}")
                out += self.watch(piece)
        except Undecodable as err:
            self.broken = f"the provider's answer is not of the content coding that it names: {err}"
            self.on_break()
        return out

    def watch(self, chunk: bytes) -> list[bytes]:
        if self.scrub is not None:
            chunk = self.scrub.feed(chunk)
            if not chunk:
                return []
        if self.tap is not None:
            self.tap.feed(chunk)
        self.capture.add(chunk)
        return [chunk] if self.through is None else self.through(chunk)

    def end(self) -> list[bytes]:
        self.ended = True
        out: list[bytes] = []
        if self.scrub is not None and (held := self.scrub.flush()):
            if self.tap is not None:
                self.tap.feed(held)
            self.capture.add(held)
            out += [held] if self.through is None else self.through(held)
        if self.decoder is not None and not self.broken and not self.decoder.ended:
            self.broken = "the provider's answer ends in the middle of its content coding"
            self.on_break()
        if tail := self.on_end():
            out.append(tail)
        return out


class Withheld:
    """The stream callable of an answer that the client does not get: ``compose`` makes another body at its end."""

    KEPT = 64 << 10
    """First bytes of the upstream's body that ``compose`` is given."""

    def __init__(self, compose: Callable[[bytes], bytes]) -> None:
        self.compose = compose
        self.said = b""

    def __call__(self, chunk: bytes) -> list[bytes]:
        if chunk:
            self.said += chunk[: self.KEPT - len(self.said)]
            return []
        return [self.compose(self.said)]
