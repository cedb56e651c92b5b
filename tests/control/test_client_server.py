"""Client and server over a real socket; what they say of the process is in ``test_process``."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.client import ControlClient
from ccproxy.control.protocol import JsonObject, ReloadReply, Route, StatusReply
from ccproxy.control.server import MAX_BODY_BYTES, ControlServer, socket_peer_uid
from ccproxy.errors import ControlError
from tests.support.need import need, need_linux


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    found = find_instance(None, {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
    found.runtime_dir.mkdir(mode=0o700)
    return found


@pytest.fixture
async def server(instance: Instance) -> AsyncIterator[dict[str, Route]]:
    async def echo(message: JsonObject) -> JsonObject:
        return {"got": message}

    async def silence(message: JsonObject) -> JsonObject:
        await asyncio.Event().wait()
        return message

    routes: dict[str, Route] = {"POST /echo": echo, "GET /silence": silence}
    listening = bind(instance.control_path)
    running = ControlServer(routes)
    running.adopt([listening])
    yield routes
    await running.close()


def bind(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    return listening


async def raw(instance: Instance, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(instance.control_path))
    writer.write(request)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_a_message_goes_there_and_comes_back(instance: Instance, server: dict[str, Route]) -> None:
    client = ControlClient(instance)
    message = {"text": "grüße", "deep": {"list": [1, None]}}
    assert await asyncio.to_thread(client.post, "/echo", message) == {"got": message}
    assert await asyncio.to_thread(client.post, "/echo") == {"got": {}}


@pytest.mark.parametrize("body", [b"[]", b"nonsense", b"\xff\xfe"])
async def test_a_body_that_is_no_object_is_refused(instance: Instance, server: dict[str, Route], body: bytes) -> None:
    answer = await raw(instance, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"must be a JSON object" in answer


async def test_a_body_beyond_the_limit_is_not_read(instance: Instance, server: dict[str, Route]) -> None:
    answer = await raw(
        instance, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nx" % (MAX_BODY_BYTES + 1)
    )
    assert b"200" not in answer[:15]


async def test_an_answer_that_does_not_come_is_not_waited_for(instance: Instance, server: dict[str, Route]) -> None:
    client = ControlClient(instance, timeout_s=0.1)
    with pytest.raises(ControlError, match=r"did not answer within 0\.1 s"):
        await asyncio.to_thread(client.get, "/silence")


async def test_a_route_that_comes_later_is_answered(instance: Instance, server: dict[str, Route]) -> None:
    server["POST /later"] = server["POST /echo"]
    assert await asyncio.to_thread(ControlClient(instance).post, "/later") == {"got": {}}


async def test_another_user_is_turned_away() -> None:
    need_linux()
    need(os.geteuid() == 0, "this test becomes another user, and only root can")
    with tempfile.TemporaryDirectory(prefix="ccp-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "control")
        listening = bind(path)
        path.chmod(0o666)
        running = ControlServer({})
        running.adopt([listening])
        pid = os.fork()
        if pid == 0:
            os._exit(_knock_as_nobody(path))
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        await running.close()
    assert os.waitstatus_to_exitcode(status) == 0


def _knock_as_nobody(path: Path) -> int:
    """0 when the connection is closed without a word, 7 when it is answered, 8 when this test is wrong."""
    try:
        knocking = socket.socket(socket.AF_UNIX)
        knocking.settimeout(10)
        os.setuid(65534)
        knocking.connect(str(path))
        try:
            knocking.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
            return 7 if knocking.recv(100) else 0
        except ConnectionError:
            return 0
    except OSError:
        return 8


def test_the_peer_of_a_unix_socket_is_known() -> None:
    need_linux()
    one, other = socket.socketpair()
    with one, other:
        assert socket_peer_uid(one) == os.geteuid()


def test_where_nothing_listens_it_says_what_to_start(instance: Instance) -> None:
    with pytest.raises(ControlError, match="start ccproxy with `ccproxy start`"):
        ControlClient(instance).get("/status")
    bind(instance.control_path).close()
    with pytest.raises(ControlError, match="start ccproxy with `ccproxy start`"):
        ControlClient(instance).get("/status")


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", b"HTTP/1.1 200 OK\r\n\r\n<html>", b""],
)
async def test_what_is_no_ccproxy_is_recognised(instance: Instance, answer: bytes) -> None:
    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(stranger, str(instance.control_path)):
        with pytest.raises(ControlError, match=r"did not answer as a ccproxy does|cannot be used"):
            await asyncio.to_thread(ControlClient(instance).get, "/status")


async def test_a_connection_that_breaks_off_is_told(instance: Instance) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with await asyncio.start_unix_server(reset, str(instance.control_path)):
        with pytest.raises(ControlError):
            await asyncio.to_thread(ControlClient(instance).get, "/status")


@pytest.mark.parametrize(
    "reply",
    [
        StatusReply("listener", 7, "3.0", 1.5, "ready", {"inspect_port": 8083}),
        ReloadReply(applied=False, problems=("port: no", "host: no")),
        ReloadReply(applied=True),
    ],
)
def test_replies_survive_the_wire(reply: StatusReply | ReloadReply) -> None:
    assert type(reply).from_json(json.loads(json.dumps(reply.to_json()))) == reply


def test_a_reply_of_another_version_is_read_as_far_as_it_goes() -> None:
    assert StatusReply.from_json({"pid": "many", "facts": [], "new": 1}) == StatusReply("", 0, "", 0.0, "")
    assert ReloadReply.from_json({"applied": "yes", "problems": "x"}) == ReloadReply(applied=False)
