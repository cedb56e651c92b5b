"""``ccproxy flows`` on a store of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time

import pytest

from ccproxy.cli import main
from ccproxy.cli.flows import humanise
from ccproxy.flows.record import Message
from ccproxy.flows.store import FlowReader, FlowWriter, Limits
from tests.flows.records import body, record, redactor
from tests.support.need import need_tool


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("XDG_", "CCPROXY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def store(home):
    return home / ".local" / "state" / "ccproxy" / "flows.sqlite3"


def fill(store, *records):
    writer = FlowWriter(store, redactor(), Limits(max_age_s=0))
    for one in records:
        writer.put(one)
    assert writer.close(20.0)
    return [one.id for one in records]


def printed(capsys, *argv):
    assert main(["flows", *argv]) == 0
    return capsys.readouterr().out


def refused(capsys, *argv):
    assert main(["flows", *argv]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_no_flows(home, capsys):
    assert printed(capsys, "list") == "No flows.\n"
    assert json.loads(printed(capsys, "list", "--json")) == []
    assert printed(capsys, "clear", "--all") == "0 flows deleted.\n"
    assert not (home / ".local").exists(), "looking makes nothing"


def test_a_listing(store, capsys):
    now = time.time()
    ids = fill(store, record(created_at=now - 7300), record(created_at=now - 65, response=None, attempts=[]))
    heading, first, second = printed(capsys, "list").splitlines()

    assert heading.split() == ["ID", "METHOD", "CODE", "HOST", "PATH", "UA", "TIME"]
    assert first.split() == [
        ids[0][:8],
        "POST",
        "200",
        "api.deepseek.com",
        "/anthropic/v1/messages?beta=true",
        "sdk/1.0",
        "2h",
        "ago",
    ]
    assert second.split()[:3] == [ids[1][:8], "POST", "-"]
    assert second.endswith("1m ago")


def test_long_texts_are_cut(store, capsys):
    headers = ((b"user-agent", b"u" * 100),)
    one = record(request=Message(headers, body(b""), "GET", "http://h/" + "p" * 100), forwarded=None)
    fill(store, one)
    line = printed(capsys, "list").splitlines()[1]

    assert "/" + "p" * 58 + "…  " in line
    assert "  " + "u" * 29 + "…  " in line


def test_json_limit_and_jail(store, capsys):
    ids = fill(store, *(record(created_at=float(n), jail="j" if n % 2 else None) for n in range(6)))

    assert [flow["id"] for flow in json.loads(printed(capsys, "list", "--json", "--limit", "2"))] == ids[-2:]
    assert [flow["id"] for flow in json.loads(printed(capsys, "list", "--json", "--jail", "j"))] == ids[1::2]
    flow = json.loads(printed(capsys, "list", "--json", "--limit", "1"))[0]
    assert flow["time"].startswith("1970-01-01T") or flow["time"].startswith("1969-12-31T")
    assert flow["request"]["host"] == "api.deepseek.com"


def test_jq(store, capsys):
    need_tool("jq")
    ids = fill(store, *(record(created_at=float(n), model=f"m{n % 2}") for n in range(60)))

    found = printed(capsys, "list", "--jq", 'map(select(.model == "m1"))', "--jq", ".[:2]", "--json")
    assert [flow["id"] for flow in json.loads(found)] == [ids[1], ids[3]], "a filter sees more than the last 50"
    assert ids[3][:8] in printed(capsys, "list", "--jq", 'map(select(.model == "m1")) | .[:2]')
    assert json.loads(printed(capsys, "list", "--json", "--jq", "map(.model) | unique")) == ["m0", "m1"]
    assert printed(capsys, "list", "--jq", "[]") == "No flows.\n"
    assert "other than flows" in refused(capsys, "list", "--jq", "map(.model)")
    assert "flows that there are not" in refused(capsys, "list", "--jq", '[{"id": "x"}]')
    assert "one array" in refused(capsys, "list", "--jq", ".[]")
    assert "jq: " in refused(capsys, "list", "--jq", "map(")


def test_default_filters_of_the_configuration(home, store, capsys):
    need_tool("jq")
    ids = fill(store, record(model="a"), record(model="b"))
    folder = home / ".config" / "ccproxy"
    folder.mkdir(parents=True)
    (folder / "ccproxy.yaml").write_text(
        "ccproxy:\n  flows:\n    default_jq_filters: ['map(select(.model == \"a\"))']\n"
    )

    assert [flow["id"] for flow in json.loads(printed(capsys, "list", "--json"))] == ids[:1]


def test_without_jq_a_filter_is_refused_and_a_listing_works(store, capsys, monkeypatch, tmp_path):
    fill(store, record())
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "jq is not installed" in refused(capsys, "list", "--jq", ".")
    assert len(printed(capsys, "list").splitlines()) == 2


def test_show(store, capsys):
    (flow_id,) = fill(store, record("what was asked"))

    text = printed(capsys, "show", flow_id[:8])
    for told in (flow_id, "what was asked", "api.deepseek.com", "you said", "inject_auth", "12 in, 34 out"):
        assert told in text
    assert json.loads(printed(capsys, "show", flow_id, "--json"))["provider"] == "deepseek"


def test_show_one_side(store, capsys):
    (flow_id,) = fill(store, record("hi", answered=Message((), body(b"changed"), status=502)))

    assert printed(capsys, "show", flow_id, "--request").startswith("asked: POST http://127.0.0.1:4000/v1/messages")
    assert printed(capsys, "show", flow_id, "--forwarded").startswith("forwarded: POST https://api.deepseek.com/")
    assert "you said hi" in printed(capsys, "show", flow_id, "--response")
    assert printed(capsys, "show", flow_id, "--answered", "--body") == "changed\n"
    assert json.loads(printed(capsys, "show", flow_id, "--request", "--body"))["model"] == "m"
    assert json.loads(printed(capsys, "show", flow_id, "--response", "--json"))["status"] == 200


def test_what_the_client_got_is_what_the_provider_sent_unless_it_was_changed(store, capsys):
    (flow_id,) = fill(store, record("hi"))

    assert "you said hi" in printed(capsys, "show", flow_id, "--answered", "--body")


def test_raw_bytes_are_those_of_the_body(store, monkeypatch):
    (flow_id,) = fill(store, record(response=Message((), body(b"\x1b[31m\xff\n"), status=200)))
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", out)

    assert main(["flows", "show", flow_id, "--response", "--body", "--raw"]) == 0
    assert out.buffer.getvalue() == b"\x1b[31m\xff\n"


@pytest.mark.parametrize("argv", [[], ["--body"], ["--request"], ["--response"], ["--response", "--body"], ["--json"]])
def test_nothing_captured_reaches_the_terminal_as_an_escape(store, capsys, argv):
    evil = "\x1b]0;evil\x07\x9b\u202e\r"
    headers = ((b"X", evil.encode()), (b"user-agent", evil.encode()))
    message = Message(headers, body(evil.encode()), "POST", f"http://h/{evil}", 200)
    (flow_id,) = fill(store, record(request=message, forwarded=None, response=message, error=evil, model=evil))

    for text in (printed(capsys, "show", flow_id, *argv), printed(capsys, "list"), printed(capsys, "list", "--json")):
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}


def test_what_cannot_be_shown(store, capsys):
    fill(store, record(id="aaaa1"), record(id="aaaa2"))

    assert "no flow begins with 'b'" in refused(capsys, "show", "b")
    assert "more than one flow" in refused(capsys, "show", "aaaa")
    assert "--raw needs" in refused(capsys, "show", "aaaa1", "--raw")


def test_clear(store, capsys):
    need_tool("jq")
    ids = fill(store, *(record(created_at=float(n), model=f"m{n}") for n in range(5)))

    assert "name the flows" in refused(capsys, "clear")
    assert FlowReader(store).count() == 5
    assert printed(capsys, "clear", ids[0][:8]) == "1 flow deleted.\n"
    assert printed(capsys, "clear", "--jq", 'map(select(.model == "m1" or .model == "m2"))') == "2 flows deleted.\n"
    assert [row.model for row in FlowReader(store).list()] == ["m4", "m3"]
    assert printed(capsys, "clear", "--all") == "2 flows deleted.\n"
    assert printed(capsys, "list") == "No flows.\n"


def test_a_damaged_store_is_told(store, capsys):
    store.parent.mkdir(parents=True)
    store.write_bytes(b"garbage" * 1000)

    assert "move the file away" in refused(capsys, "list")


def test_another_configuration_folder_has_another_store(home, store, capsys):
    fill(store, record())

    assert main(["--config", str(home / "shop" / ".ccproxy"), "flows", "list"]) == 0
    assert capsys.readouterr().out == "No flows.\n"


@pytest.mark.parametrize(
    ("age", "text"),
    [(-1, "now"), (0.5, "now"), (1, "1s ago"), (59, "59s ago"), (60, "1m ago"), (7200, "2h ago"), (1e6, "11d ago")],
)
def test_humanise(age, text):
    assert humanise(age) == text


HEAVY = ("mitmproxy", "pydantic", "pydantic_core", "pydantic_ai", "mcp", "httpx", "asyncio", "zstandard", "yaml")


def test_a_listing_imports_nothing_heavy_and_is_quick(home, store):
    fill(store, *(record() for _ in range(100)))
    script = (
        "import sys; from ccproxy.cli import main; status = main(['flows', 'list']);"
        f"sys.exit(status or ', '.join(m for m in {HEAVY} if m in sys.modules) or None)"
    )

    def took():
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 51
        return time.perf_counter() - began

    assert min(took() for _ in range(3)) < 0.4
