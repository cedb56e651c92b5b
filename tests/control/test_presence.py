from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.config.instance import Instance, find_instance
from ccproxy.control.lock import Lock
from ccproxy.control.presence import decode_show, find_presence, unit_file


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return find_instance(str(tmp_path / "shop"), {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})


def states(instance: Instance, environ: dict[str, str] | None = None) -> dict[str, str]:
    return {unit: presence.state for unit, presence in find_presence(instance, environ or {}).items()}


def systemctl(folder: Path, output: str) -> dict[str, str]:
    """An environment whose systemctl prints ``output``, after it has noted its arguments."""
    program = folder / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/asked\ncat <<'END'\n{output}\nEND\n")
    program.chmod(0o755)
    (folder / "systemd").mkdir()
    (folder / "systemd" / "private").touch()
    return {"PATH": f"{program.parent}:/usr/bin:/bin", "XDG_RUNTIME_DIR": str(folder)}


def test_nothing_is_down_to_nothing(instance: Instance) -> None:
    assert states(instance) == {"listener": "down", "sidecar": "down", "mcp": "down"}


def test_what_holds_its_lock_runs(instance: Instance) -> None:
    with Lock.take(instance, "sidecar", sockets={}) as lock:
        presence = find_presence(instance, {})["sidecar"]
        assert presence.up
        assert presence.running == lock.running


def test_the_activator_makes_the_rest_wait_unless_it_has_given_up(instance: Instance) -> None:
    with Lock.take(instance, "activator", sockets={"proxy": ["a"], "sidecar": ["b"]}) as lock:
        assert states(instance) == {"listener": "waiting", "sidecar": "waiting", "mcp": "down"}
        lock.mark_failed(["listener"])
        assert states(instance) == {"listener": "failed", "sidecar": "waiting", "mcp": "down"}
        with Lock.take(instance, "listener", sockets={}):
            assert states(instance)["listener"] == "running"


def test_systemd_makes_it_wait_too(instance: Instance, tmp_path: Path) -> None:
    environ = systemctl(
        tmp_path,
        "Id=ccproxy-listener-shop.socket\nActiveState=active\n\nId=ccproxy-listener-shop.service\nActiveState=inactive\n\n"
        "Id=ccproxy-sidecar-shop.socket\nActiveState=active\n\nId=ccproxy-sidecar-shop.service\nActiveState=failed\n\n"
        "Id=ccproxy-mcp-shop.socket\nActiveState=inactive\n\nId=ccproxy-mcp-shop.service\nActiveState=inactive",
    )
    assert states(instance, environ) == {"listener": "waiting", "sidecar": "failed", "mcp": "down"}
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("--user show")
    assert "ccproxy-mcp-shop.socket" in asked


def test_systemd_is_not_asked_about_what_is_known(instance: Instance, tmp_path: Path) -> None:
    environ = systemctl(tmp_path, "")
    with Lock.take(instance, "activator", sockets={"proxy": ["a"]}):
        states(instance, environ)
    assert not (tmp_path / "asked").exists()


def test_without_a_user_manager_nobody_is_asked(instance: Instance, tmp_path: Path) -> None:
    environ = systemctl(tmp_path, "")
    (tmp_path / "systemd" / "private").unlink()
    assert set(states(instance, environ).values()) == {"down"}
    assert not (tmp_path / "asked").exists()


def test_units_have_the_rest_of_the_instances_name(instance: Instance, tmp_path: Path) -> None:
    assert unit_file(instance, "mcp", "socket") == "ccproxy-mcp-shop.socket"
    ordinary = find_instance(None, {"HOME": str(tmp_path)})
    assert unit_file(ordinary, "listener", "service") == "ccproxy-listener.service"


def test_show_is_decoded() -> None:
    assert decode_show("") == {}
    assert decode_show("ActiveState=active\n\nId=b\n") == {"b": ""}
