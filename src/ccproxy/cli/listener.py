"""serve the proxy's sockets (systemd or `ccproxy start` starts this)"""

from __future__ import annotations

import argparse
import os
from collections.abc import MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING

from ccproxy.control.process import ProcessControl, Sockets, run_process
from ccproxy.errors import CcproxyError

if TYPE_CHECKING:
    from pathlib import Path

    from ccproxy.config.instance import Instance
    from ccproxy.config.model import Config

KEY_LOG_VARIABLES = ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE")
"""mitmproxy.net.tls reads them when it is imported, OpenSSL's users when they make a context."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(args: argparse.Namespace) -> int:
    """0 after a stop signal, 1 for a bad configuration or when it was started without sockets."""
    return run_process("listener", serve_listener, config_flag=args.config, verbose=args.verbose)


async def serve_listener(sockets: Sockets, config: Config, instance: Instance, control: ProcessControl) -> None:
    """The listener with the embedded provider beside it; the key log is decided before mitmproxy is imported."""
    set_key_log(config.inspector.tls_keylog, instance.tls_keylog_path, os.environ)
    from ccproxy.echo.serve import start as start_echo
    from ccproxy.listener.serve import serve

    await serve(sockets, config, instance, control, start_echo)


def set_key_log(wanted: bool, path: Path, environ: MutableMapping[str, str]) -> None:
    """Have TLS session keys written to ``path``, 0600, or see to it that they are not.

    A variable that came with the environment is removed: it belongs to another program, and a file of session keys is
    the traffic itself. Raises CcproxyError if the file cannot be made.
    """
    for variable in KEY_LOG_VARIABLES:
        environ.pop(variable, None)
    if not wanted:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with suppress(PermissionError):
            os.fchmod(fd, 0o600)
        os.close(fd)
    except OSError as error:
        raise CcproxyError(f"inspector.tls_keylog: {path} cannot be written: {error.strerror}") from None
    for variable in KEY_LOG_VARIABLES:
        environ[variable] = str(path)
