"""What each setting of the listener changes."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from ccproxy.config.model import Config
from ccproxy.errors import CcproxyError
from ccproxy.listener.readiness import probe_readiness
from tests.listener.client import H1Client, Kind, connect
from tests.listener.stand import PATHS, Stand, message, quiet_ports
from tests.support.daemon import Daemon
from tests.support.need import need, need_linux, need_tool
from tests.support.upstream import Upstream, body, json, silence

SMALL = {
    "provider_timeout": 0.4,
    "limits": {"body_bytes": 100_000, "header_bytes": 4096, "parse_bytes": 10_000, "web_view_bytes": 200_000},
    "flows": {"body_limit_bytes": 1000},
    "inspector": {
        "tls_keylog": True,
        "mitmproxy": {"ssl_insecure": True, "termlog_verbosity": "info", "flow_detail": 1},
    },
}


class Narrow(Stand):
    """A daemon with tight limits; providers without credentials at ``127.0.0.1``, one with a credential elsewhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, **SMALL)
        kinds: dict[str, dict[str, Any]] = {
            kind: {"type": kind, "base_url": f"http://127.0.0.1:{self.ports['plain']}"} for kind in PATHS
        }
        strange = self.ports["stranger"]
        auth = {"type": "file", "file": str(self.token_file("plain")), "header": "x-api-key"}
        kinds["open"] = {"type": "anthropic", "base_url": f"https://127.0.0.1:{strange}"}
        kinds["safe"] = {"type": "anthropic", "base_url": f"https://localhost:{strange}", "auth": auth}
        kinds["h2"] = {"type": "anthropic", "base_url": f"https://localhost:{self.ports['h2']}"}
        self.settings["providers"] = {"echo": {"type": "echo"}, **kinds}
        self.daemon.write_config(self.settings)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Narrow]:
    narrow = Narrow(tmp_path_factory.mktemp("narrow"))
    with narrow.daemon:
        yield narrow
        narrow.wait_until_idle()


# ---- where it listens, and whether it starts ----


def test_only_the_configured_host_is_bound(stand: Stand) -> None:
    need_linux()
    wanted = f":{stand.port:04X}"
    addresses = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[1].endswith(wanted) and line.split()[3] == "0A"
    ]
    assert addresses == ["0100007F" + wanted]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", stand.port), timeout=5)


async def test_a_failed_readiness_probe_stops_the_start() -> None:
    need_tool("systemd-socket-activate")
    nobody = f"http://127.0.0.1:{quiet_ports(1)[0]}/"
    probe = {"verify_readiness_on_startup": True, "readiness_probe_url": nobody}
    daemon = Daemon(probe, via="systemd-socket-activate")
    try:
        daemon.start(wait=False)
        async with connect("h1", daemon.port) as client:
            assert await client.closed() == b""
        assert f"not ready: {nobody} does not answer" in daemon.logs()
        assert daemon.running("listener") is None
    finally:
        daemon.__exit__()


async def test_a_slow_readiness_probe_stops_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        probe = {"readiness_probe_url": url, "readiness_probe_timeout_seconds": 0.2}
        config = Config.model_validate({"verify_readiness_on_startup": True, **probe})
        with pytest.raises(CcproxyError, match=r"not ready: .*timed out"):
            await asyncio.wait_for(probe_readiness(config), 5)


async def test_any_status_is_an_answer_to_the_readiness_probe() -> None:
    async with Upstream(json(503, {})) as upstream:
        config = {"verify_readiness_on_startup": True, "readiness_probe_url": upstream.origin}
        await probe_readiness(Config.model_validate(config))
        await probe_readiness(Config.model_validate({**config, "verify_readiness_on_startup": False}))
    assert [request.method for request in upstream.requests] == ["HEAD"]


# ---- time ----


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
async def test_provider_timeout_ends_a_silent_request(narrow: Narrow, client_kind: Kind, kind: str) -> None:
    async with narrow.upstream("plain", silence()) as upstream, connect(client_kind, narrow.port) as client:
        asked = time.monotonic()
        reply = await client.post(PATHS[kind], message(), key=narrow.key(kind))
        assert (reply.status, time.monotonic() - asked < 5) == (504, True)
        error = (await reply.json())["error"]
        assert "did not answer within 0.4 s (provider_timeout)" in error["message"]
        assert ("status" in error) == (kind == "google")
        await upstream.wait_closed()


async def test_provider_timeout_is_for_the_first_byte_only(narrow: Narrow) -> None:
    async def slow(request: Any, send: Any) -> None:
        await send.head(200, [("Content-Type", "text/event-stream")])
        await asyncio.sleep(0.6)  # longer than the timeout
        await send.data(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')

    async with narrow.upstream("plain", slow), connect("h1", narrow.port) as client:
        reply = await client.post("/v1/messages", message(stream=True), key=narrow.key("anthropic"))
        assert b"message_stop" in await reply.rest()


# ---- size ----


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
async def test_a_larger_body_is_answered_with_413(narrow: Narrow, client_kind: Kind, kind: str) -> None:
    async with narrow.upstream("plain", json(200, {})) as upstream, connect(client_kind, narrow.port) as client:
        reply = await client.post(PATHS[kind], message(filler="x" * 100_000), key=narrow.key(kind))
        assert reply.status == 413
        error = (await reply.json())["error"]
        assert "limits.body_bytes" in error["message"]
        assert ("status" in error) == (kind == "google")
        again = await client.post(PATHS[kind], message(filler="x" * 90_000), key=narrow.key(kind))
        assert again.status == 200
    assert len(upstream.requests) == 1


async def test_what_counts_is_the_size_as_it_is_sent(narrow: Narrow) -> None:
    """A body that decompresses to more than both limits goes on as it came, and unread."""
    packed = gzip.compress(message(filler="x" * 200_000))
    async with narrow.upstream("plain", json(200, {})) as upstream, connect("h1", narrow.port) as client:
        coding = [("content-encoding", "gzip")]
        reply = await client.post("/v1/messages?mark=packed", packed, key=narrow.key("anthropic"), headers=coding)
        assert (reply.status, await reply.rest()) == (200, b"{}")
    assert [request.body for request in upstream.requests] == [packed]
    record = await narrow.flow("mark=packed")
    assert "decompresses to more than 10000 bytes (limits.parse_bytes)" in " ".join(record.warnings)


@pytest.mark.parametrize("chunked", [False, True])
def test_33_mib_are_too_much_by_default_and_the_client_reads_why(stand: Stand, chunked: bool) -> None:
    pieces = (b"x" * (1 << 20) for _ in range(33))
    with Upstream.in_thread(json(200, {}), **stand.upstream_options("plain")) as upstream:
        connection = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=20)
        headers = {"content-type": "application/json", "x-api-key": stand.key("plain")}
        if not chunked:
            headers["content-length"] = str(33 << 20)
        connection.request("POST", "/v1/messages", pieces, headers, encode_chunked=chunked)
        response = connection.getresponse()
        assert response.status == 413
        assert b"limits.body_bytes" in response.read()
        connection.close()
    assert not upstream.requests


@pytest.mark.parametrize("chunked", [False, True])
def test_curl_reads_it_too(stand: Stand, tmp_path: Path, chunked: bool) -> None:
    (tmp_path / "large").write_bytes(b"x" * (33 << 20))
    headers = ["-H", "transfer-encoding: chunked"] if chunked else []
    done = subprocess.run(
        [
            *(need_tool("curl"), "-sS", "-m", "20", "-w", " %{http_code}", f"{stand.daemon.base}/v1/messages"),
            *("-H", f"x-api-key: {stand.key('plain')}", "-H", "content-type: application/json", *headers),
            *("--data-binary", f"@{tmp_path}/large"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "limits.body_bytes" in done.stdout
    assert done.stdout.endswith(" 413")


async def test_a_body_without_end_is_cut(narrow: Narrow) -> None:
    async with connect("h1", narrow.port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(
            b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-api-key: %b\r\n"
            b"transfer-encoding: chunked\r\n\r\n" % narrow.key("anthropic").encode()
        )
        with pytest.raises(ConnectionError):
            for _ in range(2000):  # 64 MB, of which 400 KB are read
                await client.send_raw(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
                await asyncio.sleep(0)


async def test_larger_headers_are_refused(narrow: Narrow) -> None:
    async with connect("h1", narrow.port) as client:
        reply = await client.ask("GET", "/health", [("x-large", "y" * 3000)])
        assert reply.status == 200
        await reply.rest()
        reply = await client.ask("GET", "/health", [("x-large", "y" * 6000)])
        assert reply.status == 431


async def test_headers_without_end_are_refused(narrow: Narrow) -> None:
    async with connect("h1", narrow.port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(b"GET /health HTTP/1.1\r\n" + b"x-more: yyyyyyyyyyyyyyyyyyyy\r\n" * 300)
        assert (await client.answer()).status == 431
        await client.closed()


async def test_a_larger_body_is_not_parsed(narrow: Narrow) -> None:
    sent = message(filler="x" * 20_000)
    async with narrow.upstream("plain", json(200, {})) as upstream, connect("h1", narrow.port) as client:
        for body_sent, mark in ((message(), "parsed"), (sent, "unparsed")):
            reply = await client.post(f"/v1/messages?mark={mark}", body_sent, key=narrow.key("anthropic"))
            assert reply.status == 200
            await reply.rest()
    assert upstream.requests[1].body == sent
    assert (await narrow.flow("mark=parsed")).model == "claude"
    record = await narrow.flow("mark=unparsed")
    assert record.model is None


async def test_a_body_is_captured_up_to_its_limit(narrow: Narrow) -> None:
    answer = bytes(range(256)) * 20
    async with narrow.upstream("plain", body(200, answer)), connect("h1", narrow.port) as client:
        reply = await client.post("/v1/messages?mark=cap", message(f="x" * 5000), key=narrow.key("anthropic"))
        assert await reply.rest() == answer
    record = await narrow.flow("mark=cap")
    assert record.response is not None
    for part, size in ((record.request.body, len(message(f="x" * 5000))), (record.response.body, len(answer))):
        assert (len(part.data), part.size, part.truncated) == (1000, size, True)
        assert part.sha256


# ---- trust ----


async def test_upstream_ca_file_is_trusted(stand: Stand) -> None:
    trusted, stranger = stand.upstream("tls", json(200, {})), stand.upstream("stranger", json(200, {}))
    async with trusted, stranger, connect("h1", stand.port) as client:
        assert (await (await client.post("/v1/messages", message(), key=stand.key("tls"))).rest()) == b"{}"
        assert (await client.post("/v1/messages", message(), key=stand.key("stranger"))).status == 502
    assert not stranger.requests


async def test_ssl_insecure_never_with_a_credential(narrow: Narrow) -> None:
    async with narrow.upstream("stranger", json(200, {})) as upstream, connect("h1", narrow.port) as client:
        reply = await client.post("/v1/messages", message(), key=narrow.key("open"))
        assert (reply.status, await reply.rest()) == (200, b"{}")
        reply = await client.post("/v1/messages", message(), key=narrow.key("safe"))
        assert reply.status == 502
        assert "certificate" in str(await reply.json()).lower()
    assert [request.header("x-api-key") for request in upstream.requests] == [""]


async def test_the_key_log_is_private_and_off_by_default(stand: Stand, narrow: Narrow) -> None:
    async with narrow.upstream("h2", json(200, {})), connect("h1", narrow.port) as client:
        assert (await client.post("/v1/messages", message(), key=narrow.key("h2"))).status == 200
    path = narrow.daemon.instance.tls_keylog_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "CLIENT_TRAFFIC_SECRET_0" in path.read_text()
    assert not stand.daemon.instance.tls_keylog_path.exists()


async def test_the_key_log_decrypts_a_capture(narrow: Narrow, tmp_path: Path) -> None:
    tshark, port, capture = need_tool("tshark"), narrow.ports["h2"], tmp_path / "capture.pcapng"
    process = await asyncio.create_subprocess_exec(
        *(tshark, "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", str(capture), "-a", "duration:30"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said = b""
    while b"Capture started" not in said:
        line = await asyncio.wait_for(process.stderr.readline(), 15)
        need(bool(line), f"tshark cannot capture on lo: {said.decode()}")
        said += line
    keys = narrow.daemon.instance.tls_keylog_path
    try:
        async with narrow.upstream("h2", json(200, {})):
            for number in range(20):  # what was captured reaches the file a little later
                async with connect("h1", narrow.port) as client:
                    await client.post(f"/v1/messages?secret-path={number}", message(), key=narrow.key("h2"))
                if await asyncio.to_thread(seen, tshark, capture, port, keys, "secret-path=0"):
                    break
            else:
                pytest.fail("no request can be read in the capture")
    finally:
        process.terminate()
        await process.wait()
    assert b"secret-path" not in capture.read_bytes()


def seen(tshark: str, capture: Path, port: int, keys: Path, path: str) -> bool:
    """Whether a request for ``path`` can be read in the capture."""
    done = subprocess.run(
        [
            *(tshark, "-r", str(capture), "-o", f"tls.keylog_file:{keys}", "-d", f"tcp.port=={port},tls"),
            *("-Y", "http2.headers.path", "-T", "fields", "-e", "http2.headers.path"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return path in done.stdout


# ---- what mitmproxy says ----


async def test_termlog_verbosity(stand: Stand, narrow: Narrow) -> None:
    for each in (stand, narrow):
        async with connect("h1", each.port) as client:
            assert (await client.ask("GET", "/health")).status == 200
    assert "client connect" in narrow.daemon.logs()
    assert "client connect" not in stand.daemon.logs()


async def test_flow_detail(stand: Stand, narrow: Narrow) -> None:
    for each in (stand, narrow):
        async with connect("h1", each.port) as client:
            reply = await client.post("/v1/messages?mark=detail", message(), key=each.key("echo"))
            assert await reply.rest()
        await each.flow("mark=detail")
    assert "/v1/messages?mark=detail" in narrow.daemon.logs()
    assert "/v1/messages?mark=detail" not in stand.daemon.logs()


async def test_a_reload_keeps_mitmproxy_quiet(stand: Stand) -> None:
    assert stand.daemon.cli("reload").returncode == 0
    async with connect("h1", stand.port) as client:
        assert (await client.ask("GET", "/health")).status == 200
    assert "client connect" not in stand.daemon.logs()


# ---- large bodies ----


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    options = {"stream_large_bodies": "10k", "body_size_limit": "50k"}
    stand = Stand(tmp_path_factory.mktemp("streaming"), inspector={"mitmproxy": options})
    with stand.daemon:
        yield stand
        stand.wait_until_idle()


async def test_large_bodies_are_streamed(streaming: Stand) -> None:
    """The first half is at the provider before the second has been sent."""
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        arrived.put_nowait(await reader.readexactly(10_000))
        arrived.put_nowait(await reader.readexactly(10_000))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    server = await asyncio.start_server(serve, "127.0.0.1", streaming.ports["plain"])
    async with server, connect("h1", streaming.port) as client:
        assert isinstance(client, H1Client)
        await client.send_raw(
            b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-api-key: %b\r\n"
            b"content-length: 20000\r\n\r\n" % streaming.key("plain").encode()
        )
        await client.send_raw(b"a" * 10_000)
        assert b"real-plain-1" in await asyncio.wait_for(arrived.get(), 10)
        assert await asyncio.wait_for(arrived.get(), 10) == b"a" * 10_000
        await client.send_raw(b"b" * 10_000)
        assert await asyncio.wait_for(arrived.get(), 10) == b"b" * 10_000
        reply = await client.answer()
        assert (reply.status, await reply.rest()) == (200, b"{}")


@pytest.mark.parametrize("client_kind", get_args(Kind.__value__))
async def test_body_size_limit(streaming: Stand, client_kind: Kind) -> None:
    async with streaming.upstream("plain", json(200, {})) as upstream, connect(client_kind, streaming.port) as client:
        reply = await client.post("/v1/messages", message(f="x" * 60_000), key=streaming.key("plain"))
        assert reply.status == 413
        assert (await reply.json())["type"] == "error"
    assert not upstream.requests
