"""The application without a network: what becomes of failures, and of clients that leave."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from ccproxy.sidecar.admission import Admission
from ccproxy.sidecar.app import Message, Sidecar
from ccproxy.sidecar.clients import Clients
from ccproxy.sidecar.order import Policy
from ccproxy.sidecar.transport import SafeTransport
from tests.sidecar.support import config_for

CANARY = "sk-canary"


class Chunks(httpx.AsyncByteStream):
    """A body that ends with ``failure``, if there is one."""

    def __init__(self, *chunks: bytes, failure: Exception | None = None) -> None:
        self.chunks, self.failure, self.closed = chunks, failure, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if self.failure:
            raise self.failure

    async def aclose(self) -> None:
        self.closed = True


class FakeTransport:
    """Does what a test says."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return self.answer(request)

    async def aclose(self) -> None:
        pass


async def ask(
    folder: Path, answer: Callable[[httpx.Request], httpx.Response], *messages: Message, content_length: bytes = b""
) -> list[Message]:
    """One request, whose body is ``messages``; what was sent."""
    (folder / "token").write_text("t")
    admission = Admission(folder / "token", uid_of=lambda ours, theirs: os.getuid())
    clients = cast(Clients[SafeTransport], Clients(lambda profile, authorities: FakeTransport(answer), folder))
    sidecar = Sidecar(Policy.of(config_for("https://api.test")), admission, clients, body_limit=10)
    headers = [
        (b"x-ccproxy-token", b"t"),
        (b"x-ccproxy-target-url", b"https://api.test/v1"),
        (b"x-ccproxy-impersonate", b"chrome131"),
        (b"authorization", CANARY.encode()),
        *([(b"content-length", content_length)] if content_length else []),
    ]
    scope = {"type": "http", "method": "POST", "headers": headers, "server": ("::1", 1), "client": ("::1", 2)}
    inbox = list(messages or [{"type": "http.request", "body": b"{}"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return inbox.pop(0) if inbox else await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(5):
        await sidecar(scope, receive, send)
    return sent


def failing(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def error_in(sent: list[Message]) -> tuple[int, str, str]:
    """Status, kind and message of an error of the sidecar's own."""
    start, body = sent
    error: dict[str, Any] = json.loads(body["body"])["error"]
    assert (b"x-ccproxy-error", error["type"].encode()) in start["headers"]
    assert (b"content-length", str(len(body["body"])).encode()) in start["headers"]
    return start["status"], error["type"], error["message"]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (httpx.ConnectError("it cannot be reached"), 502, "upstream"),
        (httpx.RemoteProtocolError("it broke off"), 502, "upstream"),
        (httpx.TimeoutException("it did not answer in time"), 504, "timeout"),
    ],
)
async def test_transport_errors_are_told(tmp_path: Path, error: httpx.RequestError, status: int, kind: str):
    told = error_in(await ask(tmp_path, failing(error)))
    assert told == (status, kind, f"the upstream api.test:443 failed: {error}")


async def test_fault_of_our_own_is_a_500_whose_log_says_where_and_not_what(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    status, kind, message = error_in(await ask(tmp_path, failing(ValueError(f"authorization: {CANARY}"))))
    assert (status, kind, message) == (500, "internal", "the sidecar failed; its log says where")
    assert "ValueError in" in caplog.text and "in _forward" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("error", [ValueError(CANARY), httpx.ReadError("it broke off")])
async def test_failure_in_mid_answer_leaves_it_unfinished_and_the_transfer_closed(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
):
    stream = Chunks(b"half", failure=error)
    sent = await ask(tmp_path, lambda request: httpx.Response(200, stream=stream))
    assert [message.get("body") for message in sent] == [None, b"half"]
    assert sent[-1]["more_body"]
    assert stream.closed
    assert caplog.records and CANARY not in caplog.text


async def test_client_that_leaves_is_told_nothing(tmp_path: Path):
    reached = False

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal reached
        reached = True
        return httpx.Response(200, stream=Chunks())

    gone = {"type": "http.disconnect"}
    assert await ask(tmp_path, answer, {"type": "http.request", "body": b"{", "more_body": True}, gone) == []
    assert not reached


async def test_declared_body_beyond_the_limit_is_not_read(tmp_path: Path):
    never: Message = {"type": "http.request", "body": b"", "more_body": True}
    told = error_in(await ask(tmp_path, failing(AssertionError()), never, content_length=b"11"))
    assert told[:2] == (413, "too_large")


async def test_lengths_that_contradict_each_other_do_not_come_through(tmp_path: Path):
    fields = [(b"content-length", b"1"), (b"content-length", b"2"), (b"x-a", b"b")]
    sent = await ask(tmp_path, lambda request: httpx.Response(200, headers=fields, stream=Chunks(b"x")))
    assert sent[0]["headers"] == [(b"x-a", b"b")]
