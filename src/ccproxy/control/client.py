"""Ask the running listener to do something, over its control socket.

>>> ControlClient(instance).post("/reload")                                              # doctest: +SKIP
{'applied': True, 'problems': []}

A request *activates* the listener, as any connection does: what only looks asks ``lock.read_lock`` first.
"""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from ccproxy.control.protocol import JsonObject, ReloadReply, StatusReply
from ccproxy.errors import ControlError

if TYPE_CHECKING:
    from ccproxy.config.instance import Instance

TIMEOUT_S = 10.0


class ControlClient:
    """The control socket of one instance. Each call is a connection of its own."""

    def __init__(self, instance: Instance, timeout_s: float = TIMEOUT_S) -> None:
        self._path = instance.control_path
        self._timeout_s = timeout_s

    def get(self, path: str) -> JsonObject:
        """The answer to ``GET path``. Raises ControlError."""
        return self._ask("GET", path, None)

    def post(self, path: str, message: JsonObject | None = None) -> JsonObject:
        """The answer to ``POST path``. Raises ControlError, with the listener's own words if it refused."""
        return self._ask("POST", path, message or {})

    def status(self) -> StatusReply:
        """What the listener says of itself."""
        return StatusReply.from_json(self.get("/status"))

    def reload(self) -> ReloadReply:
        """Have all processes read the configuration again."""
        return ReloadReply.from_json(self.post("/reload"))

    def _ask(self, method: str, path: str, message: JsonObject | None) -> JsonObject:
        connection = UnixConnection(self._path, self._timeout_s)
        try:
            body = None if message is None else json.dumps(dict(message)).encode()
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except TimeoutError:
            raise ControlError(f"the listener did not answer within {self._timeout_s:g} s on {self._path}") from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise ControlError(f"nothing listens on {self._path}: start ccproxy with `ccproxy start`") from None
        except OSError as error:
            raise ControlError(f"the control socket {self._path} cannot be used: {error.strerror or error}") from None
        except (http.client.HTTPException, ValueError):
            raise ControlError(f"what listens on {self._path} did not answer as a ccproxy does") from None
        finally:
            connection.close()
        if not isinstance(answer, dict):
            raise ControlError(f"what listens on {self._path} did not answer as a ccproxy does")
        if response.status != http.client.OK:
            raise ControlError(str(answer.get("error") or f"the listener answered {response.status}"))
        return answer


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("ccproxy", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
