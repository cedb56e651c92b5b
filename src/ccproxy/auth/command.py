"""Runs the shell command of ``auth: {type: command}`` and returns what it printed.

The command runs in a session of its own, so that it and all its children can be ended together; it gets no standard
input, nothing of any request, and no descriptor or variable by which the daemon was started. Its stderr is counted
and thrown away: password tools print there what they should not.

It ends in one of two ways. It exits: a child that still holds its output open is then killed with the whole group,
one that let go of it lives on, as an agent must. Or it is too slow, writes too much, or its caller is cancelled: then
the whole group is killed at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from ccproxy.auth.token import SourceFailure

NOISE_LIMIT = 1 << 20
"""Bytes of stderr after which a command is taken to be stuck in a loop."""
LINGER_S = 0.1
"""How long the output of a command that has exited may stay open in the hands of a child."""
REAP_S = 1.0
"""How long a killed process may take to go; longer means that it hangs in the kernel."""

_OURS = frozenset(
    {
        # The service manager's: a child that believed these would answer for us.
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        # A key log is for our own sessions, not for those in which a command fetches its secret.
        "SSLKEYLOGFILE",
        "MITMPROXY_SSLKEYLOGFILE",
        # Lets its holder spend every subscription behind this daemon.
        "CCPROXY_LISTENER_TOKEN",
    }
)


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what is the daemon's own. Providers' variables stay: ``printenv NAME`` is a usual command."""
    return {name: value for name, value in environ.items() if name not in _OURS and not name.startswith("LISTEN_")}


async def run_command(command: str, *, environ: Mapping[str, str], timeout_s: float, output_limit: int) -> bytes:
    """What ``command`` wrote to stdout, at most ``output_limit`` bytes, within ``timeout_s`` seconds.

    Raises SourceFailure if it cannot be started, fails, is too slow or writes too much. The message holds neither the
    command, whose text may itself be the secret, nor anything that it wrote.
    """
    run = await _start(command, environ, output_limit)
    try:
        async with asyncio.timeout(timeout_s):
            await run.ended
            if not run.too_much:
                await asyncio.wait([run.drained], timeout=LINGER_S)
    except TimeoutError:
        raise SourceFailure(
            f"did not end within {timeout_s:g} s (auth.command_timeout_seconds) and was killed{run.noise_note}"
        ) from None
    finally:
        await run.stop()
    if run.too_much:
        raise SourceFailure(f"wrote more than {run.too_much} and was killed; it must print the bare token")
    match run.status:
        case 0:
            return bytes(run.output)
        case status if status < 0:
            raise SourceFailure(f"was ended by signal {-status}{run.noise_note}")
        case status:
            raise SourceFailure(f"exited with status {status}{run.noise_note}; run it in a shell to see why")


async def _start(command: str, environ: Mapping[str, str], output_limit: int) -> _Run:
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(
        # Not subprocess_shell: in its debug mode asyncio logs the whole command, but only the program of an exec.
        loop.subprocess_exec(
            lambda: _Run(output_limit),
            "/bin/sh",
            "-c",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=child_environ(environ),
            start_new_session=True,
        )
    )
    try:
        _, run = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio ends a start that is cancelled by killing the shell alone; its children would be left behind.
        with suppress(OSError):
            await (await starting)[1].stop()
        raise
    except OSError as error:
        raise SourceFailure(f"could not be started: {error.strerror}") from None
    return run


class _Run(asyncio.SubprocessProtocol):
    """One run of a command: what it wrote and how it ended.

    ``asyncio.subprocess.Process`` will not do: its ``wait()`` also waits for whoever else holds the pipes.
    """

    def __init__(self, output_limit: int) -> None:
        loop = asyncio.get_running_loop()
        self.output = bytearray()
        self.output_limit = output_limit
        self.noise = 0
        """Bytes of stderr."""
        self.too_much = ""
        """Which limit was exceeded, in words; empty while none was."""
        self.status = -1
        """Exit status, negative for a signal; set once ``exited`` is done."""
        self.exited: asyncio.Future[None] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        """Nobody holds stdout any longer."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """It exited, or wrote too much."""

    @property
    def noise_note(self) -> str:
        """A clause about stderr, which may hold secrets and is therefore never shown."""
        return f", having written {self.noise} bytes to stderr" if self.noise else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if self.too_much:
            return
        if fd == 1:
            self.output += data
            if len(self.output) > self.output_limit:
                self.too_much = f"{self.output_limit} bytes (auth.output_limit_bytes)"
        else:
            self.noise += len(data)
            if self.noise > NOISE_LIMIT:
                self.too_much = f"{NOISE_LIMIT} bytes to stderr"
        if self.too_much:
            _settle(self.ended)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            _settle(self.drained)

    def process_exited(self) -> None:
        status = self.transport.get_returncode()
        assert status is not None
        self.status = status
        _settle(self.exited)
        _settle(self.ended)

    async def stop(self) -> None:
        """Kill what still runs or still holds the output, and let go of the pipes."""
        try:
            if not (self.exited.done() and self.drained.done()):
                # If the leader has gone, the group lives on in whoever holds its pipe; and should that one have left
                # it, its number is free for a tenth of a second only: the kernel goes round all others first.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.transport.get_pid(), signal.SIGKILL)
                await asyncio.wait([self.exited], timeout=REAP_S)
        finally:
            self.transport.close()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
