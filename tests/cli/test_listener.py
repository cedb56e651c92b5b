from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.cli.listener import KEY_LOG_VARIABLES, set_key_log
from ccproxy.errors import CcproxyError
from tests.support.daemon import Daemon


def test_a_key_log_that_came_with_the_environment_is_removed(tmp_path: Path) -> None:
    environ = dict.fromkeys(KEY_LOG_VARIABLES, "/tmp/somebody-elses") | {"HOME": "/"}
    set_key_log(False, tmp_path / "tls.keylog", environ)
    assert environ == {"HOME": "/"}
    assert not (tmp_path / "tls.keylog").exists()


def test_a_key_log_that_is_wanted_is_there_first_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tls.keylog"
    environ: dict[str, str] = {}
    set_key_log(True, path, environ)
    assert set(environ.values()) == {str(path)}
    assert set(environ) == set(KEY_LOG_VARIABLES)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("kept\n")
    path.chmod(0o644)
    set_key_log(True, path, environ)
    assert path.read_text() == "kept\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "tls.keylog").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CcproxyError, match=r"inspector\.tls_keylog"):
        set_key_log(True, tmp_path / "tls.keylog", {})


def test_the_variables_are_set_before_mitmproxy_is_imported() -> None:
    """mitmproxy.net.tls reads them at import; nothing on the way to ``serve_listener`` may import it."""
    code = "import sys, ccproxy.cli.listener, ccproxy.config.load; print('mitmproxy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    assert shown == "False\n"


def test_without_sockets_it_says_who_starts_it() -> None:
    daemon = Daemon()
    try:
        for unit in ("listener", "sidecar", "mcp"):
            ended = daemon.cli(unit)
            assert ended.returncode == 1
            assert f"`ccproxy {unit}` was given no socket" in ended.stderr
    finally:
        daemon.__exit__()
