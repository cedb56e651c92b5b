"""Several clients that ask without a pause, each request on a connection of its own; and what became of them.

>>> with Load(daemon.port, key) as load:                                                   # doctest: +SKIP
...     load.wait_for(50)
...     daemon.kill("sidecar")
...     load.wait_for(50)
... assert not load.failures
"""

from __future__ import annotations

import http.client
import threading
from types import TracebackType
from typing import Self

from tests.listener.stand import message

TIMEOUT_S = 20.0


class Load:
    """Use as a context manager: it asks until the block ends."""

    def __init__(self, port: int, key: str, *, clients: int = 4, kept: bool = False) -> None:
        """``kept``: each client keeps its connection, and opens another one when that was closed."""
        self.port, self.key, self.kept = port, key, kept
        self.answered = 0
        self.failures: list[str] = []
        """What went wrong, in words: an exception, or a status that is not 200."""
        self.closed_idle = 0
        """Kept connections that ended before any byte of an answer."""
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def wait_for(self, count: int) -> None:
        """Come back when so many more requests have been answered, or one has failed."""
        with self._changed:
            wanted = self.answered + count
            done = self._changed.wait_for(lambda: self.answered >= wanted or self.failures, TIMEOUT_S)
        assert done, f"only {self.answered} of {wanted} answers"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            fresh = connection is None
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
            try:
                problem = self._ask(connection)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                problem = repr(error) if fresh else "idle"
            except (OSError, http.client.HTTPException) as error:
                problem = repr(error)
            if problem or not self.kept:
                connection.close()
                connection = None
            with self._changed:
                if problem == "idle":
                    self.closed_idle += 1
                elif problem:
                    self.failures.append(problem)
                else:
                    self.answered += 1
                self._changed.notify_all()
        if connection is not None:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        headers = {"content-type": "application/json", "x-api-key": self.key}
        if not self.kept:
            headers["connection"] = "close"
        connection.request("POST", "/v1/messages", message(), headers)
        response = connection.getresponse()
        body = response.read()
        return "" if response.status == 200 else f"{response.status} {body[:200]!r}"
