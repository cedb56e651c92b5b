"""Everything that a daemon shows or leaves behind, as bytes to be searched."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path

from ccproxy.flows.reader import FlowReader
from ccproxy.flows.record import FlowRecord
from tests.support.daemon import Daemon

JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
MCP = {**JSON, "mcp-protocol-version": "2025-11-25"}
MOST = 10_000


def files(folder: Path) -> dict[str, bytes]:
    """Every regular file beneath ``folder``, its name included."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found[str(path)] = str(path).encode() + b"\n" + path.read_bytes()
    return found


def records(daemon: Daemon) -> list[FlowRecord]:
    reader = FlowReader(daemon.instance.store_path)
    return [reader.get(row.id) for row in reader.list(MOST)]


def stored(daemon: Daemon) -> dict[str, bytes]:
    """Every record of the store, its bodies decompressed."""
    found = {}
    for record in records(daemon):
        parts = (record.request, record.forwarded, record.response, record.answered)
        bodies = [part.body.data for part in parts if part is not None]
        found[f"record of {record.request.url}"] = repr(record).encode() + b"\n".join(bodies)
    return found


def ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
    """Status and everything that was answered, head included."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, f"{answer.reason}\n{answer.headers}\n".encode() + answer.read()
    finally:
        connection.close()


def web_ui(daemon: Daemon, token: str) -> dict[str, bytes]:
    """What the web UI tells of options, events, flows and their contents."""
    xsrf = "00112233445566778899aabbccddeeff"
    headers = {"authorization": f"Bearer {token}", "cookie": f"_mitmproxy_xsrf={xsrf}", "x-xsrftoken": xsrf, **JSON}

    def page(path: str, method: str = "GET", content: bytes = b"") -> bytes:
        status, text = ask(daemon.web_port, method, path, headers, content)
        assert status == 200, (path, status, text[:500])
        return text

    found = {path: page(path) for path in ("/", "/options", "/state", "/events", "/commands", "/flows", "/flows/dump")}
    har = daemon.folder / "flows.har"
    page("/commands/save.har", "POST", json.dumps({"arguments": ["@all", str(har)]}).encode())
    found["exported HAR"] = har.read_bytes()
    for flow in json.loads(found["/flows"].partition(b"\n\n")[2]):
        for form in ("curl", "raw"):
            export = json.dumps({"arguments": [form, f"@{flow['id']}"]}).encode()
            found[f"{form} of {flow['id']}"] = page("/commands/export", "POST", export)
        for message in ("request", "response"):
            if (flow.get(message) or {}).get("contentLength") is None:
                continue  # it never came
            for view in ("content.data", "content/auto.json", "content/raw.json", "content/hex%20dump.json"):
                path = f"/flows/{flow['id']}/{message}/{view}"
                found[f"{path} of {flow['request']['path']}"] = page(path)
    return found


def mcp(daemon: Daemon, token: str) -> dict[str, bytes]:
    """What the MCP server answers: its tools, the flows, each flow; and how it refuses a wrong token."""
    headers = {**MCP, "authorization": f"Bearer {token}"}

    def call(name: str, **arguments: object) -> bytes:
        params = {"name": name, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        status, text = ask(daemon.mcp_port, "POST", "/mcp", headers, json.dumps(message).encode())
        assert status == 200, text
        return text

    found = {"list_flows": call("list_flows", limit=1000)}
    for record in records(daemon):
        found[f"get_flow of {record.request.url}"] = call("get_flow", flow_id=record.id)
    found["refusal"] = ask(daemon.mcp_port, "POST", "/mcp", {**headers, "authorization": "Bearer wrong"}, b"{}")[1]
    return found


def command_line(daemon: Daemon) -> dict[str, bytes]:
    """What every verb prints, with -v."""
    verbs = ["status", "status --json", "config show", "config show --json", "config check", "logs", "flows list"]
    verbs += ["flows list --json"]
    verbs += [f"flows show {record.id} {how}" for record in records(daemon)[:6] for how in ("--json", "--body")]
    found = {}
    for verb in verbs:
        done = daemon.cli("-v", *verb.split())
        found[f"ccproxy {verb}"] = (done.stdout + done.stderr).encode()
    return found


def processes(daemon: Daemon) -> Iterator[tuple[str, Path]]:
    """The daemon's processes and all their children: name and /proc folder."""
    roots = {str(running.pid) for unit in UNITS if (running := daemon.running(unit)) is not None}
    family = set(roots)
    grown = True
    while grown:
        grown = False
        for folder in Path("/proc").glob("[0-9]*"):
            if folder.name not in family and parent(folder) in family:
                family.add(folder.name)
                grown = True
    for pid in sorted(family, key=int):
        yield f"process {pid}", Path("/proc") / pid


UNITS = ("activator", "listener", "sidecar", "mcp")


def parent(folder: Path) -> str:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def modes(folder: Path) -> dict[Path, int]:
    """Permission bits of everything beneath ``folder``, and of itself."""
    return {path: os.lstat(path).st_mode & 0o777 for path in (folder, *folder.rglob("*")) if not path.is_symlink()}
