"""Credentials as the listener uses them: floods, failures, renewal, reload, and secrets that never show."""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from operator import attrgetter
from pathlib import Path

import pytest

from ccproxy.auth.credentials import RENEWAL_PAUSE_S, SECRETS_KEPT, Credentials
from ccproxy.auth.placed import Placed
from ccproxy.auth.sources import FAILURE_CACHE_S, read_secret
from ccproxy.config.model import Config
from ccproxy.errors import CredentialError
from tests.auth.support import CANARY, StillClock, command, config, counted, runs, until

ENVIRON = {"PATH": os.environ["PATH"]}


def credentials(config: Config, clock: StillClock | None = None, **environ: str) -> Credentials:
    return Credentials(config, clock=clock or StillClock(), environ=ENVIRON | environ)


async def failure(of: Credentials, provider: str = "acme") -> str:
    with pytest.raises(CredentialError) as caught:
        await of.get(provider)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


# Placement


@pytest.mark.parametrize(
    ("slot", "header", "query"),
    [
        ({}, ("authorization", "Bearer sk-1"), None),
        ({"header": "Authorization"}, ("authorization", "Bearer sk-1"), None),
        ({"header": "X-Api-Key"}, ("x-api-key", "sk-1"), None),
        ({"query_param": "key"}, None, ("key", "sk-1")),
    ],
)
async def test_token_goes_where_the_source_declares(
    slot: dict[str, str], header: tuple[str, str] | None, query: tuple[str, str] | None
):
    placed = await credentials(config(command("echo sk-1", **slot))).get("acme")
    assert (placed.provider, placed.header, placed.query, placed.extra_headers) == ("acme", header, query, ())


async def test_provider_without_auth_wants_nothing():
    placed = await credentials(config(None)).get("acme")
    assert (placed.header, placed.query) == (None, None)


async def test_unknown_provider_is_named_with_those_there_are():
    assert await failure(credentials(config(None)), "acne") == (
        "no provider 'acne' is configured (configured: acme); nothing was sent"
    )


# Failures name the provider, the reason and what to do


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (command(f"echo {CANARY}; exit 7"), "its auth command exited with status 7; run it in a shell to see why"),
        (command("true"), "its auth command printed nothing"),
        (command(f"echo {CANARY}; echo"), None),
        (command(f"printf '{CANARY}\\nX: y'"), "its auth command printed something that holds more than one line"),
        ({"type": "file", "file": "/nonexistent/key"}, "its auth file /nonexistent/key cannot be read: No such file"),
        ({"type": "env", "env": "ACME"}, "its environment variable ACME is not set where the daemon was started"),
        ({"type": "env", "env": "BLANK"}, "its environment variable BLANK is empty"),
        ({"type": "env", "env": "BROKEN"}, "its environment variable BROKEN holds more than one line"),
        ({"type": "anthropic_oauth"}, "its auth source of type 'anthropic_oauth' is not built yet; use type command"),
    ],
)
async def test_failure_says_why(auth: dict[str, str], message: str | None):
    of = credentials(config(auth), BLANK=" ", BROKEN=f"{CANARY}\r\nx: y")
    if message is None:
        assert (await of.get("acme")).header == ("authorization", f"Bearer {CANARY}")
    else:
        told = await failure(of)
        assert told.startswith(f"provider 'acme': {message}")
        assert told.endswith("; nothing was sent")


async def test_a_command_has_the_configured_time_and_room():
    slow = credentials(config(command("sleep 60"), command_timeout_seconds=0.1))
    assert "did not end within 0.1 s (auth.command_timeout_seconds)" in await failure(slow)
    long = credentials(config(command("echo 1234567"), output_limit_bytes=4))
    assert "more than 4 bytes (auth.output_limit_bytes)" in await failure(long)


# Commands run once


async def test_hundred_requests_at_once_run_the_command_once(tmp_path: Path):
    log = tmp_path / "log"
    of = credentials(config(command(counted(log, "sleep 0.1; echo sk-1"))))
    placed = await asyncio.gather(*(of.get("acme") for _ in range(100)))
    assert {p.header for p in placed} == {("authorization", "Bearer sk-1")}
    assert runs(log) == 1


async def test_token_is_kept_for_the_configured_time(tmp_path: Path):
    log, clock = tmp_path / "log", StillClock()
    of = credentials(config(command(counted(log, "echo sk-1")), command_cache_s=20), clock)
    await of.get("acme")
    clock.now += 19
    await of.get("acme")
    assert runs(log) == 1
    clock.now += 1
    await of.get("acme")
    assert runs(log) == 2


async def test_flood_on_a_failing_command_runs_it_once_until_it_is_tried_again(tmp_path: Path):
    log, clock, ready = tmp_path / "log", StillClock(), tmp_path / "ready"
    of = credentials(config(command(counted(log, f"cat {ready}"))), clock)
    told = await asyncio.gather(*(failure(of) for _ in range(100)))
    told.append(await failure(of))
    assert len(set(told)) == 1
    assert runs(log) == 1
    ready.write_text("sk-1")
    clock.now += FAILURE_CACHE_S
    assert (await of.get("acme")).header == ("authorization", "Bearer sk-1")


async def test_kept_token_needs_no_turn_of_the_event_loop():
    of = credentials(config(command("echo sk-1")))
    placed = await of.get("acme")
    coroutine = of.get("acme")
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value is placed


async def test_client_that_leaves_does_not_take_the_command_of_others(tmp_path: Path):
    log = tmp_path / "log"
    of = credentials(config(command(counted(log, "sleep 0.2; echo sk-1"))))
    leaving, staying = asyncio.create_task(of.get("acme")), asyncio.create_task(of.get("acme"))
    await until(lambda: runs(log) == 1)
    leaving.cancel()
    assert (await staying).header == ("authorization", "Bearer sk-1")
    assert leaving.cancelled()
    assert runs(log) == 1


async def test_slow_command_holds_up_neither_other_providers_nor_the_loop(tmp_path: Path):
    both = Config.model_validate(
        {
            "providers": {
                "slow": {"host": "a.test", "type": "openai", "auth": command("sleep 60; echo sk-1")},
                "quick": {"host": "b.test", "type": "openai", "auth": command("echo sk-2")},
            },
            "auth": {"command_timeout_seconds": 30},
        }
    )
    of = credentials(both)
    slow = asyncio.create_task(of.get("slow"))
    async with asyncio.timeout(5):
        assert (await of.get("quick")).header == ("authorization", "Bearer sk-2")
    assert not slow.done()
    await of.close()
    await asyncio.wait([slow])
    assert slow.cancelled()


# Files and variables are looked at each time


async def test_changed_file_is_used_at_once(tmp_path: Path):
    path = tmp_path / "key"
    path.write_text("sk-1")
    of = credentials(config({"type": "file", "file": str(path)}))
    assert (await of.get("acme")).header == ("authorization", "Bearer sk-1")
    path.write_text("sk-22")
    assert (await of.get("acme")).header == ("authorization", "Bearer sk-22")


async def test_variable_is_the_token():
    of = credentials(config({"type": "env", "env": "ACME_KEY"}), ACME_KEY="sk-1")
    assert (await of.get("acme")).header == ("authorization", "Bearer sk-1")


# Renewal after a 401


async def test_renewal_brings_the_new_token_and_one_run_serves_all(tmp_path: Path):
    log, key = tmp_path / "log", tmp_path / "key"
    key.write_text("sk-1")
    of = credentials(config(command(counted(log, f"sleep 0.1; cat {key}"))))
    old = await of.get("acme")
    key.write_text("sk-2")
    newer = await asyncio.gather(*(of.renew("acme", old) for _ in range(50)))
    assert {p.header for p in newer if p} == {("authorization", "Bearer sk-2")}
    assert None not in newer
    assert runs(log) == 2
    late = await of.renew("acme", old)
    assert late is not None and late.header == ("authorization", "Bearer sk-2")
    assert await of.get("acme") == late
    assert runs(log) == 2


async def test_same_token_is_nothing_newer_and_is_not_asked_for_by_every_401(tmp_path: Path):
    log, clock = tmp_path / "log", StillClock()
    of = credentials(config(command(counted(log, "echo sk-1"))), clock)
    old = await of.get("acme")
    assert await asyncio.gather(*(of.renew("acme", old) for _ in range(50))) == [None] * 50
    assert await of.renew("acme", old) is None
    assert runs(log) == 2
    clock.now += RENEWAL_PAUSE_S
    assert await of.renew("acme", old) is None
    assert runs(log) == 3


async def test_command_that_mints_a_token_each_time_is_not_run_by_every_401(tmp_path: Path):
    log = tmp_path / "log"
    of = credentials(config(command(counted(log, f"wc -l < {log}"))))
    newer = await of.renew("acme", await of.get("acme"))
    assert newer is not None
    assert await of.renew("acme", newer) is None
    assert runs(log) == 2


async def test_failing_renewal_is_logged_and_brings_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    key = tmp_path / "key"
    key.write_text(CANARY)
    of = credentials(config(command(f"cat {key}")))
    old = await of.get("acme")
    key.unlink()
    assert await of.renew("acme", old) is None
    assert "provider 'acme' answered 401 and its auth command exited with status 1" in caplog.text
    assert CANARY not in caplog.text


async def test_renewal_reads_a_file_again_even_if_it_looks_the_same(tmp_path: Path):
    key = tmp_path / "key"
    key.write_text("sk-1")
    of = credentials(config({"type": "file", "file": str(key)}))
    old = await of.get("acme")
    key.write_text("sk-22")
    newer = await of.renew("acme", old)
    assert newer is not None and newer.header == ("authorization", "Bearer sk-22")
    assert await of.renew("acme", newer) is None


async def test_file_that_changes_right_after_a_renewal_is_taken_at_once(tmp_path: Path):
    key = tmp_path / "key"
    of = credentials(config({"type": "file", "file": str(key)}))
    key.write_text("sk-1")
    placed = await of.get("acme")
    for token in ("sk-22", "sk-333", "sk-4444"):  # the clock stands still
        key.write_text(token)
        newer = await of.renew("acme", placed)
        assert newer is not None and newer.header == ("authorization", f"Bearer {token}")
        assert await of.renew("acme", newer) is None
        placed = newer


async def test_command_is_not_run_by_every_401_even_if_nothing_is_kept(tmp_path: Path):
    log = tmp_path / "log"
    of = credentials(config(command(counted(log, "echo sk-1")), command_cache_s=0))
    placed = await of.get("acme")
    for _ in range(10):
        assert await of.renew("acme", placed) is None
    assert runs(log) == 2


async def test_provider_that_changed_meanwhile_gets_no_renewed_token():
    of = credentials(config(command("echo sk-1")))
    old = await of.get("acme")
    moved = Config.model_validate(
        {"providers": {"acme": {"host": "elsewhere.test", "type": "anthropic", "auth": command("echo sk-2")}}}
    )
    of.replace(moved)
    assert await of.renew("acme", old) is None


async def test_provider_that_changes_during_the_renewal_gets_no_renewed_token(tmp_path: Path):
    log = tmp_path / "log"
    of = credentials(config(command(counted(log, f"[ $(wc -l < {log}) = 1 ] || sleep 0.2; wc -l < {log}"))))
    old = await of.get("acme")
    renewing = asyncio.create_task(of.renew("acme", old))
    await until(lambda: runs(log) == 2)
    of.replace(config(command("echo sk-2")))
    assert await renewing is None


async def test_nothing_is_renewed_for_a_provider_without_auth_or_gone():
    of = credentials(config(None))
    assert await of.renew("acme", await of.get("acme")) is None
    assert await of.renew("acne", Placed("acne")) is None


# Reload


async def test_reload_keeps_what_has_not_changed_and_drops_the_rest(tmp_path: Path):
    log = tmp_path / "log"
    same = command(counted(log, "echo sk-1"))
    of = credentials(config(same))
    await of.get("acme")
    of.replace(config(same))
    assert (await of.get("acme")).header == ("authorization", "Bearer sk-1")
    assert runs(log) == 1
    of.replace(config(command("echo sk-2")))
    assert (await of.get("acme")).header == ("authorization", "Bearer sk-2")
    of.replace(config(None, provider="other"))
    assert "no provider 'acme' is configured (configured: other)" in await failure(of)


async def test_changed_slot_is_used_after_a_reload():
    of = credentials(config(command("echo sk-1")))
    await of.get("acme")
    of.replace(config(command("echo sk-1", header="x-api-key")))
    assert (await of.get("acme")).header == ("x-api-key", "sk-1")


async def test_request_under_way_survives_a_reload(tmp_path: Path):
    log = tmp_path / "log"
    of = credentials(config(command(counted(log, "sleep 0.2; echo sk-1"))))
    asking = asyncio.create_task(of.get("acme"))
    await until(lambda: runs(log) == 1)
    of.replace(config(None, provider="other"))
    assert (await asking).header == ("authorization", "Bearer sk-1")


# Secrets


async def test_every_value_is_remembered_old_ones_too_but_not_without_end():
    environ = {"ACME_KEY": "sk-0"}
    of = Credentials(config({"type": "env", "env": "ACME_KEY"}), clock=StillClock(), environ=environ)
    assert of.secrets() == frozenset()
    for i in range(SECRETS_KEPT + 1):
        environ["ACME_KEY"] = f"sk-{i}"
        await of.get("acme")
    assert of.secrets() == {f"sk-{i}" for i in range(1, SECRETS_KEPT + 1)}
    assert of.secrets() is of.secrets()
    of.add_secret("listener_token", "tok")
    of.replace(config(None))
    assert {"tok", "sk-5"} < of.secrets()


async def test_no_representation_and_no_log_shows_a_value(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    of = credentials(config(command(f"echo {CANARY}; echo {CANARY} >&2")))
    placed = await of.get("acme")
    assert placed.header == ("authorization", f"Bearer {CANARY}")
    assert repr(placed) == "<Placed for 'acme': header authorization>"
    assert CANARY not in repr(of) + str(placed) + f"{placed}" + repr([placed]) + caplog.text
    assert repr(Placed("acme", query=("key", CANARY))) == "<Placed for 'acme': query key>"


@pytest.mark.parametrize("key", ["listener_token", "inspector.mitmproxy.web_password", "mcp.http.auth"])
async def test_other_secrets_are_read_by_the_same_sources(tmp_path: Path, key: str):
    async def read(source: object) -> str | None:
        raw: object = source
        for name in reversed(key.split(".")):
            raw = {name: raw}
        some = Config.model_validate(raw)
        return await read_secret(key, attrgetter(key)(some), some, environ=ENVIRON | {"TOKEN": "from-env"})

    (tmp_path / "token").write_text("from-file\n")
    assert await read("the-token-itself") == "the-token-itself"
    assert await read({"type": "command", "command": "echo from-command"}) == "from-command"
    assert await read({"type": "file", "file": str(tmp_path / "token")}) == "from-file"
    assert await read({"type": "env", "env": "TOKEN"}) == "from-env"
    with pytest.raises(CredentialError, match=f"{key}: its environment variable NOPE is not set"):
        await read({"type": "env", "env": "NOPE"})
