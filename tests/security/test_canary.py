"""Secrets on every path, then a search of everything that the processes wrote, showed or answered (threats 2 and 9)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import tornado.httpclient
import tornado.websocket

from tests.listener.client import Broken, H1Client, H1Reply, Reply, bounded, connect
from tests.listener.stand import message, quiet_ports
from tests.security import residue
from tests.security.canary import canary, finds, forms
from tests.support.certificates import Authority
from tests.support.daemon import Daemon
from tests.support.exchange import Received, Send
from tests.support.need import need_linux
from tests.support.upstream import Upstream

PROVIDERS = ("command", "file", "env", "bearer", "query", "h2", "curl", "curl-query", "renewed", "renewed-again")
"""Canaries that reach the upstream."""
FAILING = ("failing", "chatty", "slow", "closed", "closed-tls", "closed-curl", "revoked")
OURS = ("listener", "web", "mcp")
CLIENTS = ("own-key", "own-bearer", "own-query", "own-cookie", "own-raw")
MISTAKES = ("mistake-literal", "mistake-token", "mistake-password", "mistake-url", "mistake-yaml")
HOOK = """
import logging
from ccproxy.pipeline.hook import hook

@hook(reads=["body"], writes=["header:x-never"])
def telling(ctx, params):
    text = ctx.body.decode("latin-1")
    if "tell-me" in text:
        logging.getLogger("ccproxy.ours").error("the body is %s", text)
        raise RuntimeError("cannot work with " + text)
"""


@dataclass
class Run:
    """A daemon that has done everything, and what is to be searched."""

    canaries: dict[str, str]
    sinks: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Kind of sink → its name → what is in it."""
    arrived: set[str] = field(default_factory=set)
    """Canaries that an upstream was sent."""
    limits: dict[str, str] = field(default_factory=dict)
    environs: dict[str, bytes] = field(default_factory=dict)
    modes: dict[Path, int] = field(default_factory=dict)
    key_logs: list[Path] = field(default_factory=list)

    def keep(self, kind: str, found: dict[str, bytes]) -> None:
        self.sinks.setdefault(kind, {}).update(found)


class Verbose(Daemon):
    """``ccproxy -v start``."""

    def _spawn(self, command: list[str], name: str, stderr: int | None = None) -> Any:
        return super()._spawn([*command[:-1], "-v", command[-1]], name, stderr)


class Mirror:
    """A provider that answers with the credential that it was sent, in the way that ``?as=`` asks for."""

    def __init__(self, run: Run, renew: Callable[[], None]) -> None:
        self.run = run
        self.renew = renew

    async def __call__(self, request: Received, send: Send) -> None:
        told = "\n".join([request.path, unquote(request.path), *(value for _, value in request.headers)])
        secrets = [name for name, value in self.run.canaries.items() if value in told]
        self.run.arrived.update(secrets)
        secret = self.run.canaries[secrets[0]] if secrets else "none"
        how = match[1] if (match := re.search(r"as=([\w-]+)", request.path)) else "body"
        await getattr(self, f"as_{how}")(secret, send)

    async def as_body(self, secret: str, send: Send) -> None:
        basic = base64.b64encode(f"user:{secret}".encode()).decode()
        said = [secret, basic, quote(secret, safe=""), json.dumps(secret)]
        await send.head(400, [("content-type", "application/json")])
        await send.data(json.dumps({"type": "error", "error": {"type": "x", "message": said}}).encode())

    async def as_events(self, secret: str, send: Send) -> None:
        event = b'event: error\ndata: {"type":"error","error":{"message":' + json.dumps(secret).encode() + b"}}\n\n"
        await send.head(200, [("content-type", "text/event-stream")])
        for start in range(0, len(event), 5):
            await send.data(event[start : start + 5])

    async def as_cut(self, secret: str, send: Send) -> None:
        await send.head(200, [("content-type", "text/event-stream")])
        await send.data(b"event: ping\ndata: {}\n\n" + secret.encode())
        await send.abort()

    async def as_half(self, secret: str, send: Send) -> None:
        """The capture, which ends after 2,000 bytes, holds only the first half of it."""
        await send.head(400, [("content-type", "text/plain")])
        await send.data(b"." * (2000 - len(secret) // 2) + secret.encode() + b"." * 4000)

    async def as_gzip(self, secret: str, send: Send) -> None:
        await send.head(400, [("content-type", "text/plain"), ("content-encoding", "gzip")])
        await send.data(gzip.compress(secret.encode()))

    async def as_header(self, secret: str, send: Send) -> None:
        fields = [("x-debug", f"key={secret}"), ("www-authenticate", secret), ("set-cookie", f"a={secret}")]
        await send.head(302, [("content-length", "0"), ("location", f"http://localhost/?key={quote(secret)}"), *fields])

    async def as_reason(self, secret: str, send: Send) -> None:
        await send.raw(f"HTTP/1.1 400 bad key {secret}\r\ncontent-length: 2\r\n\r\n{{}}".encode())

    async def as_garbage(self, secret: str, send: Send) -> None:
        await send.raw(f"HTTP/1.1 200 OK\r\nno colon {secret}\r\n\r\n".encode())

    async def as_switch(self, secret: str, send: Send) -> None:
        await send.raw(f"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n{secret}".encode())

    async def as_trailer(self, secret: str, send: Send) -> None:
        await send.head(200, [("content-type", "application/json")])
        await send.data(b"{}")
        await send.trailers([("x-checksum", secret)])

    async def as_renewal(self, secret: str, send: Send) -> None:
        if secret == self.run.canaries["renewed-again"]:
            await self.as_body(secret, send)
            return
        self.renew()
        await send.head(401, [("content-type", "text/plain"), ("x-debug", secret)])
        await send.data(secret.encode())

    async def as_refusal(self, secret: str, send: Send) -> None:
        await send.head(401, [("content-type", "text/plain")])
        await send.data(secret.encode())


CERTIFICATES = {
    "upstream-ca.pem",
    "authorities.pem",
    "mitmproxy-ca-cert.pem",
    "mitmproxy-ca-cert.cer",
    "mitmproxy-ca-cert.p12",
    "mitmproxy-dhparam.pem",
}
"""Files that hold nothing secret; their folders are closed all the same."""
WAYS = ("body", "events", "cut", "half", "gzip", "header", "reason", "garbage", "switch")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    need_linux()
    folder = tmp_path_factory.mktemp("canary")
    run = Run({name: canary(name) for name in (*PROVIDERS, *FAILING, *OURS, *CLIENTS, *MISTAKES)})
    scene = Scene(run, folder)
    with scene.play() as daemon:
        asyncio.run(scene.act())
        scene.look_while_it_runs()
        assert daemon.stop() == 0
        run.keep("state", residue.files(daemon.instance.state_dir) | residue.stored(daemon))
        run.keep("log", {"standard output and error": daemon.logs().encode()})
        yield run


class Scene:
    """The daemon, its upstreams, and what clients do to it."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.canaries = run.canaries
        for name in (*PROVIDERS, *FAILING, *OURS):
            self.write(name, self.canaries[name])
        self.authority = Authority(folder)
        self.plain, self.tls, self.closed = quiet_ports(3)
        self.environ_file = folder / "environ"
        (folder / "ours").mkdir()
        (folder / "ours" / "telling.py").write_text(HOOK)
        environ = {
            "PYTHONPATH": str(folder),
            "CANARY_ENV": self.canaries["env"],
            "CCPROXY_LISTENER_TOKEN": self.canaries["listener"],
            "SSLKEYLOGFILE": str(folder / "keys"),
            "MITMPROXY_SSLKEYLOGFILE": str(folder / "keys"),
        }
        self.daemon = Verbose(self.config(), environ=environ)

    def write(self, name: str, text: str) -> None:
        file = self.folder / f"{name}.secret"
        file.touch(0o600)
        file.write_text(text)

    def file(self, name: str) -> str:
        return str(self.folder / f"{name}.secret")

    def config(self) -> dict[str, Any]:
        plain, tls = f"http://127.0.0.1:{self.plain}", f"https://localhost:{self.tls}"
        curl = {"fingerprint_profile": "chrome131"}

        def provider(url: str, name: str, **auth: Any) -> dict[str, Any]:
            source = auth if {"command", "env"} & auth.keys() else {"type": "file", "file": self.file(name), **auth}
            return {"type": "anthropic", "base_url": url, "auth": source}

        key, query, env = {"header": "x-api-key"}, {"query_param": "key"}, {"env": "CANARY_ENV", "header": "api-key"}
        command = f"cat /proc/self/environ > {self.environ_file}; ulimit -c >> {self.environ_file}; cat "
        once = f"test ! -e {self.file('gone')} && cat {self.file('revoked')}"
        twice = f"cat {self.file('chatty')}; echo; cat {self.file('chatty')}"
        loud = f"cat {self.file('failing')} >&2; cat {self.file('failing')}; exit 3"
        return {
            "log_level": "DEBUG",
            "auth": {"command_timeout_seconds": 0.5},
            "flows": {"body_limit_bytes": 2000},
            "upstream_ca_file": str(self.authority.ca_file),
            "hooks": {"inbound": ["inject_auth"], "outbound": ["ours.telling"]},
            "mcp": {"http": {"auth": {"type": "file", "file": self.file("mcp")}}},
            "inspector": {"mitmproxy": {"web_password": self.canaries["web"], "termlog_verbosity": "debug"}},
            "lightllm": {
                "transforms": [
                    {"match_path": "^/own/plain", "action": "passthrough", "dest_host": plain},
                    {"match_path": "^/own/closed", "action": "passthrough", "dest_host": f"http://127.0.0.1:{self.closed}"},
                ]
            },
            "providers": {
                "command": provider(plain, "command", command=command + self.file("command")),
                "file": provider(plain, "file", **key),
                "env": provider(plain, "env", **env),
                "bearer": provider(plain, "bearer"),
                "query": provider(plain, "query", **query),
                "h2": provider(tls, "h2", **key),
                "curl": provider(tls, "curl", **key) | curl,
                "curl-query": provider(tls, "curl-query", **query) | curl,
                "renewed": provider(plain, "renewed", **key),
                "revoked": provider(plain, "revoked", command=once),
                "failing": provider(plain, "failing", command=loud),
                "chatty": provider(plain, "chatty", command=twice),
                "slow": provider(plain, "slow", command=f"cat {self.file('slow')}; sleep 5"),
                "closed": provider(f"http://127.0.0.1:{self.closed}", "closed", **query),
                "closed-tls": provider(f"https://127.0.0.1:{self.closed}", "closed-tls", **query),
                "closed-curl": provider(f"https://localhost:{self.closed}", "closed-curl", **query) | curl,
            },
        }  # fmt: skip

    @contextlib.contextmanager
    def play(self) -> Iterator[Daemon]:
        mirror = Mirror(self.run, lambda: self.write("renewed", self.canaries["renewed-again"]))
        secure = {"tls": True, "http2": True, "authority": self.authority, "port": self.tls}
        with contextlib.ExitStack() as stack:
            for options in ({"port": self.plain}, secure):
                upstream = stack.enter_context(Upstream.in_thread(mirror, **options))
                stack.callback(upstream.failures.clear)  # TLS hellos on the plain port are meant
            yield stack.enter_context(self.daemon)

    # ---- what clients do ----

    async def act(self) -> None:
        watching = await self.watch()
        for name in ("command", "file", "env", "bearer", "query"):
            for way in WAYS:
                await self.post(name, way)
        await asyncio.gather(*(self.post(name, way) for name in ("h2", "curl", "curl-query") for way in H2_WAYS))
        await self.post("renewed", "renewal")
        await self.post("revoked", "body")
        self.write("gone", "")
        await self.post("revoked", "refusal")
        for name in ("failing", "chatty", "slow", "closed", "closed-tls", "closed-curl"):
            await self.post(name, "body")
        await self.post("file", "body", key=f"sk-ant-oat-ccproxy-file.{self.canaries['listener']}")
        for said in ("file", "env"):
            # A person quotes a key in a prompt; a hook says it again, in its log and in its error.
            await self.post("command", "body", body=message(system=f"tell-me {self.canaries[said]}"))
        await self.with_keys_of_their_own()
        await self.malformed()
        await self.mistaken_reload()
        await asyncio.to_thread(self.wait_for_flows)
        self.run.keep("web UI", {"updates": b"".join(await watching())})

    async def post(self, name: str, way: str, *, key: str = "", body: bytes = b"") -> None:
        path = f"/v1/messages?by={name}&as={way}"
        headers = [("content-type", "application/json"), ("x-api-key", key or f"sk-ant-oat-ccproxy-{name}")]
        async with connect("h2c" if way == "trailer" else "h1", self.daemon.port) as client:
            await client.send("POST", path, headers, body or message())
            if isinstance(client, H1Client):
                seen = await bounded(client.reader.readuntil(b"\r\n\r\n"))  # the reason phrase, too
                reply: Reply = H1Reply(client.reader, seen)
            else:
                reply = await client.answer()
                seen = repr(reply.headers).encode()
            with contextlib.suppress(Broken):
                await reply.rest()
        seen += reply.body + repr(getattr(reply, "trailers", "")).encode()
        self.run.keep("client", {f"{path} {len(self.run.sinks.get('client', ()))}": seen})

    async def with_keys_of_their_own(self) -> None:
        own = self.canaries
        headers = [("x-api-key", own["own-key"]), ("authorization", f"Bearer {own['own-bearer']}")]
        headers += [("cookie", f"session={own['own-cookie']}"), ("content-type", "application/json")]
        for where in ("plain", "closed", "nowhere"):
            for way in WAYS:
                path = f"/own/{where}?as={way}&key={quote(own['own-query'], safe='')}"
                async with connect("h1", self.daemon.port) as client:
                    with contextlib.suppress(Broken):
                        await (await client.ask("POST", path, headers, message())).rest()

    async def malformed(self) -> None:
        raw = self.canaries["own-raw"]
        for text in (
            f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key {raw}\r\n\r\n",
            f"POST /v1/messages?key={quote(raw)} HTTP/9\r\n\r\n",
            f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: {raw}\r\ncontent-length: {raw}\r\n\r\n",
            f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nauthorization: Bearer {raw}\r\n bad\0: {raw}\r\n\r\n",
            f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: sk-ant-oat-ccproxy-no.such/{raw}\r\n\r\n",
            f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: {raw}\r\n",
            f"{raw}\r\n\r\n",
        ):
            async with connect("h1", self.daemon.port) as client:
                client.writer.write(text.encode())
                client.writer.write_eof()
                await client.closed()

    async def mistaken_reload(self) -> None:
        """Secrets in places where none belongs, told to be read."""
        own = self.canaries
        wrong = self.config()
        wrong["providers"]["x"] = {
            "type": "openai",
            "host": "a",
            "auth": {"type": "literal", "value": own["mistake-literal"]},
        }
        wrong["providers"]["y"] = {"type": "openai", "base_url": f"https://user:{quote(own['mistake-url'])}@host"}
        wrong["mcp"]["http"]["auth"] = f"with blanks {own['mistake-token']}"
        wrong["inspector"]["mitmproxy"]["web_password"] = [own["mistake-password"]]
        for text in (wrong, f"ccproxy:\n  listener_token: {own['mistake-yaml']}: [\n"):
            self.daemon.write_config(text)
            for verb in (["reload"], ["config", "check"], ["config", "show"], ["status"]):
                done = await asyncio.to_thread(self.daemon.cli, "-v", *verb)
                self.run.keep("command line", {f"mistaken {verb} {len(text)}": (done.stdout + done.stderr).encode()})
        self.daemon.write_config(self.config())

    async def watch(self) -> Any:
        """Look on like a browser, from now until the returned function is awaited: all that was sent."""
        request = tornado.httpclient.HTTPRequest(
            f"ws://127.0.0.1:{self.daemon.web_port}/updates",
            headers={"authorization": f"Bearer {self.canaries['web']}"},
        )
        socket = await tornado.websocket.websocket_connect(request)
        seen: list[bytes] = []

        async def read() -> None:
            while (text := await socket.read_message()) is not None:
                seen.append(text if isinstance(text, bytes) else text.encode())

        reading = asyncio.create_task(read())

        async def stop() -> list[bytes]:
            socket.close()
            await asyncio.wait_for(reading, 10)
            return seen

        return stop

    def wait_for_flows(self) -> None:
        deadline = time.monotonic() + 15
        while (
            not any("as=switch" in r.request.url for r in residue.records(self.daemon)) and time.monotonic() < deadline
        ):
            time.sleep(0.05)

    # ---- what can be seen ----

    def look_while_it_runs(self) -> None:
        daemon, run = self.daemon, self.run
        run.keep("web UI", residue.web_ui(daemon, self.canaries["web"]))
        run.keep("MCP", residue.mcp(daemon, self.canaries["mcp"]))
        run.keep("command line", residue.command_line(daemon))
        run.keep("state", {f"running: {name}": data for name, data in residue.files(daemon.instance.state_dir).items()})
        run.keep("runtime folder", residue.files(daemon.instance.runtime_dir))
        run.keep("data folder", residue.files(daemon.instance.data_dir))
        for name, folder in residue.processes(daemon):
            arguments = (folder / "cmdline").read_bytes()
            run.keep("arguments", {name: arguments})
            run.limits[arguments.replace(b"\0", b" ").decode()] = (folder / "limits").read_text()
        run.key_logs = [*self.folder.glob("keys*"), *daemon.folder.rglob("*keylog*")]
        run.environs["auth command"] = self.environ_file.read_bytes()
        for base in (daemon.instance.state_dir, daemon.instance.runtime_dir, daemon.instance.data_dir):
            run.modes |= residue.modes(base)


H2_WAYS = ("body", "events", "cut", "half", "gzip", "header", "trailer")


def test_the_search_finds_every_form() -> None:
    secret = canary("planted")
    for form, text in forms(secret):
        assert finds({"here": b"x" + text + b"y"}, {"planted": secret}) == [f"planted in here: {form}"] or form, form
    assert not finds({"here": secret[:9].encode()}, {"planted": secret})


def test_every_secret_was_where_it_belongs(run: Run) -> None:
    """Else nothing was tested."""
    sent = {*PROVIDERS, "revoked", "own-key", "own-bearer", "own-query"}
    assert run.arrived >= sent, sent - run.arrived


def test_no_child_is_given_what_lets_it_spend(run: Run) -> None:
    """The variable of an ``env`` source stays: commands read such variables, too. The listener's token goes."""
    told = run.environs["auth command"]
    assert told.endswith(b"0\n"), "the limit of its core files"
    others = {name: secret for name, secret in run.canaries.items() if name != "env"}
    assert not finds({"its environment": told}, others)
    assert b"SSLKEYLOGFILE" not in told


def test_no_core_file_and_no_key_log(run: Run) -> None:
    assert len(run.limits) >= 4, run.limits.keys()
    for name, limits in run.limits.items():
        [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"], name
    assert not run.key_logs


def test_everything_is_the_users_own(run: Run) -> None:
    public = {path.name for path, mode in run.modes.items() if mode & 0o077}
    assert public <= CERTIFICATES, public


SINKS = ("client", "state", "log", "runtime folder", "data folder", "web UI", "MCP", "command line", "arguments")


@pytest.mark.parametrize("kind", SINKS)
def test_no_secret_is_in(run: Run, kind: str) -> None:
    canaries = dict(run.canaries)
    sinks = dict(run.sinks[kind])
    assert sinks
    if kind == "runtime folder":
        [token] = [name for name in sinks if name.endswith("/web-token")]
        assert run.canaries["web"].encode() in sinks.pop(token)
    if kind == "command line":
        # `status --json` has the web UI's URL, token included: that is what it is for.
        text = sinks["ccproxy status --json"].decode()
        url = json.loads(text)["inspector"]["inspect_url"]
        sinks["ccproxy status --json"] = text.replace(json.dumps(url), "").encode()
    found = finds(sinks, canaries)
    assert not found, f"{len(found)} finds: " + "\n".join(found[:60])
