"""Which folders belong to a configuration folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ccproxy.config.instance import find_instance, instance_name
from ccproxy.errors import ConfigError

HOME = {"HOME": "/home/me"}


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/home/me/.config/ccproxy", "ccproxy"),
        ("/home/me/shop/.ccproxy", "ccproxy-shop"),
        ("/etc/llm/staging", "ccproxy-staging"),
        ("/srv/my project (2)/.ccproxy", "ccproxy-my-project-2"),
        ("/srv/..hidden", "ccproxy-hidden"),
        ("/srv/büro", "ccproxy-b-ro"),
        ("/.ccproxy", "ccproxy-root"),
        ("/", "ccproxy-root"),
    ],
)
def test_the_name_comes_from_the_folder(folder: str, name: str) -> None:
    assert instance_name(Path(folder)) == name


def test_everything_of_the_ordinary_instance() -> None:
    instance = find_instance(None, {**HOME, "XDG_RUNTIME_DIR": "/run/user/1000"})
    assert {
        "config_file": instance.config_file,
        "data_dir": instance.data_dir,
        "store_path": instance.store_path,
        "log_path": instance.log_path,
        "tls_keylog_path": instance.tls_keylog_path,
        "control_path": instance.control_path,
        "lock": instance.lock_path("mcp"),
        "token": instance.sidecar_token_path,
    } == {
        "config_file": Path("/home/me/.config/ccproxy/ccproxy.yaml"),
        "data_dir": Path("/home/me/.local/share/ccproxy"),
        "store_path": Path("/home/me/.local/state/ccproxy/flows.sqlite3"),
        "log_path": Path("/home/me/.local/state/ccproxy/ccproxy.log"),
        "tls_keylog_path": Path("/home/me/.local/state/ccproxy/tls.keylog"),
        "control_path": Path("/run/user/1000/ccproxy/control"),
        "lock": Path("/run/user/1000/ccproxy/mcp.lock"),
        "token": Path("/run/user/1000/ccproxy/listener/sidecar-token"),
    }


def test_xdg_variables_move_the_folders_and_the_name_is_in_each() -> None:
    xdg = {
        "XDG_CONFIG_HOME": "/c",
        "XDG_DATA_HOME": "/d",
        "XDG_STATE_HOME": "/s",
        "XDG_RUNTIME_DIR": "/r",
    }
    instance = find_instance("/src/shop/.ccproxy", {**HOME, **xdg})
    assert instance.config_dir == Path("/src/shop/.ccproxy")
    folders = [instance.data_dir, instance.state_dir, instance.runtime_dir]
    assert folders == [Path("/d/ccproxy-shop"), Path("/s/ccproxy-shop"), Path("/r/ccproxy-shop")]
    assert find_instance(None, {**HOME, **xdg}).config_dir == Path("/c/ccproxy")


def test_the_flag_beats_the_variable() -> None:
    environ = {**HOME, "CCPROXY_CONFIG_DIR": "/from/variable"}
    assert find_instance(None, environ).config_dir == Path("/from/variable")
    assert find_instance("/from/flag", environ).config_dir == Path("/from/flag")
    assert find_instance(None, {**HOME, "CCPROXY_CONFIG_DIR": ""}).config_dir == Path("/home/me/.config/ccproxy")


def test_relative_xdg_variables_are_ignored() -> None:
    environ = {**HOME, "XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": "", "TMPDIR": "/var/tmp"}
    instance = find_instance(None, environ)
    assert instance.config_dir == Path("/home/me/.config/ccproxy")
    assert instance.state_dir == Path("/home/me/.local/state/ccproxy")


def test_without_a_runtime_folder_there_is_one_per_user_and_instance() -> None:
    assert find_instance("/src/shop/.ccproxy", {**HOME, "TMPDIR": "/t"}).runtime_dir == Path(
        f"/t/ccproxy-shop-{os.getuid()}"
    )
    assert find_instance(None, HOME).runtime_dir == Path(f"/tmp/ccproxy-{os.getuid()}")


def test_paths_of_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_instance("shop/../.ccproxy", HOME).config_dir == tmp_path / ".ccproxy"
    assert find_instance("~/x", HOME).config_dir == Path("/home/me/x")
    assert find_instance("x/ccproxy.yaml", HOME).config_dir == tmp_path / "x"


def test_a_link_is_known_by_the_name_that_was_typed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "staging").symlink_to("real")
    assert find_instance(str(tmp_path / "staging"), HOME).name == "ccproxy-staging"


@pytest.mark.parametrize("flag", ["", "/x/other.yaml", "/x/a\0b"])
def test_what_is_no_folder_is_refused(flag: str) -> None:
    with pytest.raises(ConfigError, match=r"^--config: should be the folder that holds ccproxy.yaml"):
        find_instance(flag, HOME)


def test_nothing_is_made(tmp_path: Path) -> None:
    find_instance(str(tmp_path / "c"), {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "r")})
    assert list(tmp_path.iterdir()) == []
