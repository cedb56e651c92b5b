"""A process of ccproxy that serves nearly nothing, to test what is around ``serve``.

Run as a program with the unit's name. One line in, one line out, on its first socket. How it behaves is said by
TRIVIAL in the environment, or by the file ``trivial-UNIT`` in its home: ``crash``, ``refuse`` (its configuration),
``fail`` (an exception), ``leave`` (come back at once), ``linger`` (do not drain), ``gate`` (read the pipe ``gate`` to
its end before it is ready).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from pathlib import Path

from ccproxy.config.instance import Instance
from ccproxy.config.model import Config
from ccproxy.control.process import ProcessControl, Sockets, run_process
from ccproxy.control.protocol import UNIT_SOCKETS, JsonObject, Unit
from ccproxy.errors import BadRequest, CcproxyError, ConfigError, CredentialError, Problem

log = logging.getLogger("ccproxy.trivial")


def behaviour(unit: Unit) -> str:
    file = Path.home() / f"trivial-{unit}"
    return file.read_text() if file.exists() else os.environ.get("TRIVIAL", "")


def listening_ports() -> list[str]:
    """Ports of all listening sockets that this process holds, however it came by them."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(fd))) as each:
            if each.family == socket.AF_INET and each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.add(str(each.getsockname()[1]))
    return sorted(found)


async def serve(sockets: Sockets, config: Config, instance: Instance, control: ProcessControl) -> None:
    mode = behaviour(control.unit)
    match mode:
        case "crash":
            print("last words", file=sys.stderr, flush=True)
            os._exit(3)
        case "refuse":
            raise ConfigError(Problem("hooks", "cannot be used together"))
        case "fail":
            raise RuntimeError("a defect")
        case "leave":
            return
        case "gate":
            await asyncio.to_thread((Path.home() / "gate").read_text)
            for _ in range(100):  # whatever came before the gate was opened has its turn first
                await asyncio.sleep(0)
    current = config

    def use(new: Config) -> None:
        nonlocal current
        match new.log_level:
            case "CRITICAL":
                raise ConfigError(Problem("log_level", "this process does not like CRITICAL"))
            case "ERROR":
                raise CredentialError("listener_token: its file cannot be read")
            case "WARNING":
                raise RuntimeError("a defect")
        current = new

    async def shout(message: JsonObject) -> JsonObject:
        if "text" not in message:
            raise BadRequest("text is missing")
        if message["text"] == "bug":
            raise RuntimeError("a defect")
        return {"text": str(message["text"]).upper()}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match (await reader.readline()).decode().split():
            case ["pid"]:
                reply = str(os.getpid())
            case ["level"]:
                reply = current.log_level
            case ["environment"]:
                reply = " ".join(sorted(os.environ))
            case ["ports"]:
                reply = " ".join(listening_ports())
            case ["say", lines]:
                for number in range(int(lines)):
                    log.warning("%s %s", number, "x" * 1000)
                reply = "said"
            case ["crash"]:
                os._exit(3)
            case _:
                reply = "?"
        writer.write(reply.encode() + b"\n")
        await writer.drain()
        writer.close()

    control.on_reload(use)
    control.route("POST /shout", shout)
    control.describe(lambda: {"level": current.log_level})
    listening = sockets[UNIT_SOCKETS[control.unit][0]]
    servers = [await asyncio.start_server(answer, sock=each) for each in listening]
    control.ready()
    await control.stopping.wait()
    for server in servers:
        server.close()
    if mode == "linger":
        await asyncio.sleep(3600)


def main(unit: Unit) -> int:
    try:
        return run_process(unit, serve)
    except CcproxyError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))  # type: ignore[arg-type]
