"""What happens after one attempt: the answer goes to the client, or the request is sent once more.

The listener calls :func:`decide` when an answer's status has arrived and nothing of it has gone to the client yet::

    match await decide(Answer(response.status_code, placed), attempt, credentials):
        case Resend(credential):
            ...  # the same request to the same host, with this credential
        case Accept():
            ...  # the client gets this answer

Good answers never reach the machine that decides (:mod:`ccproxy.upstream.machine`); the first bad one loads it, in a
thread, so that streams under way do not wait for an import.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import dataclass
from typing import Protocol

from ccproxy.auth.placed import Placed

_MACHINE = "ccproxy.upstream.machine"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of an answer when its head has arrived."""

    status: int
    """HTTP status, final (not 1xx)."""
    credential: Placed | None
    """What we put on the request; None if it carried the client's own, or none. Never resend on those."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Give this answer to the client."""


@dataclass(frozen=True, slots=True)
class Resend:
    """Drop this answer and send the request again, to the same host."""

    credential: Placed
    """What to put on it this time."""


class Renewer(Protocol):
    """What the decision may ask for; :class:`ccproxy.auth.credentials.Credentials` is one."""

    async def renew(self, provider: str, refused: Placed) -> Placed | None:
        """A credential newer than ``refused``, or None."""


async def decide(answer: Answer, attempt: int, deps: Renewer) -> Resend | Accept:
    """The fate of the answer to the ``attempt``-th send, counted from 1. May await; cancelling it is safe."""
    if answer.status < 400:
        return Accept()
    if _MACHINE not in sys.modules:
        await asyncio.to_thread(importlib.import_module, _MACHINE)
    from ccproxy.upstream.machine import run  # noqa: PLC0415  see the module's docstring

    return await run(answer, attempt, deps)


def mermaid() -> str:
    """The machine as a Mermaid state diagram."""
    from ccproxy.upstream.machine import draw  # noqa: PLC0415

    return draw()
