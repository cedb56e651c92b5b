"""An instance in a temporary folder, with the configuration that a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from ccproxy.config.instance import Instance, find_instance
from ccproxy.config.load import Loaded, load
from ccproxy.errors import ConfigError

FIXTURE = Path(__file__).parent.parent / "fixtures" / "ccproxy-2.0.yaml"


def make_instance(folder: Path, text: str | bytes | None = None) -> Instance:
    """An instance whose folders are all below ``folder``; ``text`` is its file, None for none."""
    config = folder / "config" / "ccproxy"
    config.mkdir(parents=True, exist_ok=True)
    if text is not None:
        (config / "ccproxy.yaml").write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
    environ = {
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
    }
    return find_instance(None, environ)


def load_text(
    folder: Path,
    text: str | bytes | None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    *,
    strict: bool = False,
    offline: bool = False,
) -> Loaded:
    """Load a configuration of this text."""
    return load(make_instance(folder, text), environ or {}, flags, strict=strict, offline=offline)


def refused(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    """The problems of a configuration that is refused, each as ``line: key: message``."""
    instance = make_instance(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(instance, environ or {})
    return [str(problem).removeprefix(f"{instance.config_file}:").strip() for problem in caught.value.problems]


def warned(loaded: Loaded) -> list[str]:
    """The warnings that came with a configuration, each as ``line: key: message``."""
    return [str(problem).removeprefix(f"{loaded.source}:").strip() for problem in loaded.warnings]
