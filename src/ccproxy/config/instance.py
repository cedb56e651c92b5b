"""An instance: one configuration folder, and the folders for data, state and sockets that belong to it.

The name comes from the configuration folder, so that a development daemon lives beside the ordinary one:

=========================  =================
configuration folder       instance
=========================  =================
``~/.config/ccproxy``      ``ccproxy``
``~/src/shop/.ccproxy``    ``ccproxy-shop``
``/etc/llm/staging``       ``ccproxy-staging``
=========================  =================

Nothing here touches the disk; ``folders`` makes what a process needs. The configuration folder is never written.
Specification: XDG Base Directory 0.8 (a relative path in one of its variables is ignored).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ccproxy.errors import ConfigError, Problem

FILE_NAME = "ccproxy.yaml"


@dataclass(frozen=True, slots=True)
class Instance:
    """Where everything of one instance is. All paths are absolute."""

    name: str
    """Also the suffix of the units and the identifier in the journal."""
    config_dir: Path
    data_dir: Path
    """CA and shapes."""
    state_dir: Path
    """Flow store, log, CA bundle, key log."""
    runtime_dir: Path
    """Sockets, locks, tokens; gone after a reboot."""
    home: Path

    @property
    def config_file(self) -> Path:
        return self.config_dir / FILE_NAME

    @property
    def store_path(self) -> Path:
        return self.state_dir / "flows.sqlite3"

    @property
    def log_path(self) -> Path:
        """The default log; ``Config.log_file`` says which is written."""
        return self.state_dir / "ccproxy.log"

    @property
    def tls_keylog_path(self) -> Path:
        return self.state_dir / "tls.keylog"

    @property
    def control_path(self) -> Path:
        return self.runtime_dir / "control"

    @property
    def sidecar_token_path(self) -> Path:
        """In the listener's own runtime folder, which systemd removes with the listener."""
        return self.runtime_dir / "listener" / "sidecar-token"

    def lock_path(self, unit: str) -> Path:
        """The lock of ``listener``, ``sidecar``, ``mcp`` or ``activator``."""
        return self.runtime_dir / f"{unit}.lock"


def find_instance(config_flag: str | None, environ: Mapping[str, str]) -> Instance:
    """The instance that ``--config`` names, else CCPROXY_CONFIG_DIR, else the user's own.

    Raises ConfigError if the folder is given as something that cannot be one.
    """
    home = _home(environ)
    config_dir = _config_dir(config_flag, environ, home)
    name = instance_name(config_dir)
    return Instance(
        name=name,
        config_dir=config_dir,
        data_dir=_xdg(environ, "XDG_DATA_HOME", home / ".local" / "share") / name,
        state_dir=_xdg(environ, "XDG_STATE_HOME", home / ".local" / "state") / name,
        runtime_dir=_runtime_dir(environ, name),
        home=home,
    )


def instance_name(config_dir: Path) -> str:
    """The name that belongs to an absolute configuration folder: letters, digits, ``-``, ``_`` and dots."""
    own = config_dir.parent.name if config_dir.name == ".ccproxy" else config_dir.name
    if config_dir.name == "ccproxy":
        return "ccproxy"
    return "ccproxy-" + (re.sub(r"[^A-Za-z0-9_.-]+", "-", own).strip("-.") or "root")


def _config_dir(flag: str | None, environ: Mapping[str, str], home: Path) -> Path:
    if flag is not None:
        return _folder(flag, "--config", home)
    if named := environ.get("CCPROXY_CONFIG_DIR"):
        return _folder(named, "CCPROXY_CONFIG_DIR", home)
    return _xdg(environ, "XDG_CONFIG_HOME", home / ".config") / "ccproxy"


def _folder(text: str, source: str, home: Path) -> Path:
    path = Path(text)
    if path.parts[:1] == ("~",):
        path = home.joinpath(*path.parts[1:])
    if path.name == FILE_NAME:
        path = path.parent
    if not text or "\0" in text or path.suffix in (".yaml", ".yml") or path.is_file():
        raise ConfigError(Problem(source, f"should be the folder that holds {FILE_NAME}"))
    return Path(os.path.abspath(path))  # noqa: PTH100 - drops "..", and follows no symlink: the name is what was typed


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    return Path(home) if home.startswith("/") else Path("~").expanduser()


def _xdg(environ: Mapping[str, str], variable: str, default: Path) -> Path:
    value = environ.get(variable, "")
    return Path(value) if value.startswith("/") else default


def _runtime_dir(environ: Mapping[str, str], name: str) -> Path:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return Path(runtime) / name
    base = environ.get("TMPDIR", "")
    # One folder right below the shared one: whoever makes it checks its owner, and need not check any above it.
    return Path(base if base.startswith("/") else "/tmp") / f"{name}-{os.getuid()}"  # noqa: S108
