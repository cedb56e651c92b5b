"""Filters a list with the ``jq`` program.

A filter may come from an MCP client, so from a model that read something. It runs in a process of its own with an empty
environment (``$ENV`` shows nothing), in parentheses (``import``, which reads files, is only allowed at the very
beginning of a program), with bounds on time, memory and output.

>>> select(["map(select(.n > 1))", ".[:1]"], [{"n": 1}, {"n": 2}, {"n": 3}])            # doctest: +SKIP
[{'n': 2}]

Specification: https://jqlang.org/manual/
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ccproxy.errors import CcproxyError

TIMEOUT_S = 5.0
MEMORY_BYTES = 1024**3
OUTPUT_BYTES = 64 * 1024**2


class QueryError(CcproxyError):
    """The filter cannot be run, or does not give an array."""


def select(
    filters: Sequence[str], values: list[Any], *, timeout_s: float = TIMEOUT_S, path: str | None = None
) -> list[Any]:
    """The array that ``values`` become when they go through each filter in turn. Raises QueryError.

    ``path``: where the program is looked for, instead of PATH.
    """
    program = shutil.which("jq", path=path)
    if program is None:
        raise QueryError("jq is not installed; filters need it (https://jqlang.org)")
    # The line feed ends a comment, which would otherwise swallow the parenthesis.
    expression = " | ".join(f"({one}\n)" for one in filters)
    if "\0" in expression:
        raise QueryError("a jq filter cannot hold a NUL")
    given = json.dumps(values).encode("ascii")
    with subprocess.Popen(  # noqa: S603 - no shell; the filter is an argument of its own and begins with "("
        [program, "-c", expression],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
        cwd="/",
    ) as process:
        try:
            _bound_memory(process.pid)
            written, complaint = _exchange(process, given, time.monotonic() + timeout_s)
            status = process.wait(timeout_s)
        except (TimeoutError, subprocess.TimeoutExpired):
            raise QueryError(f"the jq filter took longer than {timeout_s:g} s") from None
        finally:
            process.kill()
    if status != 0:
        raise QueryError(f"jq: {_first_line(complaint) or f'ended with status {status}'}")
    return _array(written)


def _array(written: bytes) -> list[Any]:
    try:
        found = json.loads(written)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise QueryError("the jq filter must give one array; wrap what it gives in [ ]")
    return found


def _exchange(process: subprocess.Popen[bytes], given: bytes, deadline: float) -> tuple[bytes, bytes]:
    """Feed the process and collect what it writes. Raises TimeoutError, or QueryError when it writes too much."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    told: dict[int, bytearray] = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    rest = memoryview(given)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        for fd in told:
            selector.register(fd, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    rest = _feed(process.stdin.fileno(), rest)
                    if not rest:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif part := os.read(key.fd, 1 << 16):
                    told[key.fd] += part
                    if len(told[key.fd]) > OUTPUT_BYTES:
                        raise QueryError(f"the jq filter gives more than {OUTPUT_BYTES >> 20} MiB")
                else:
                    selector.unregister(key.fileobj)
    written, complaint = told.values()
    return bytes(written), bytes(complaint)


def _feed(fd: int, rest: memoryview) -> memoryview:
    try:
        return rest[os.write(fd, rest) :]
    except BlockingIOError:
        return rest
    except BrokenPipeError:  # it has said why on its standard error, or needs no more
        return rest[:0]


def _bound_memory(pid: int) -> None:
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 - not on every platform

        with suppress(OSError):  # it has ended already
            resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _first_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[0].removeprefix("jq: ") if lines else ""
