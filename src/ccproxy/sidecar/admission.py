"""Who may use the sidecar: a process of our own user that can read the listener's token.

The listener writes a new token at each start, into its own runtime folder (0600). It is read for every request, so a
restart of either process needs nothing from the other.
"""

from __future__ import annotations

import hmac
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ccproxy.errors import Forbidden, Kind, RequestError
from ccproxy.headers import Headers
from ccproxy.peer import Address, peer_uid
from ccproxy.sidecar.order import TOKEN

type PeerUid = Callable[[Address, Address], int | None]
"""User id of the process at the other end of a connection (ours, theirs); None if it cannot be told."""


class NotReady(RequestError):
    """The listener has not written its token: it is not running, or is just starting."""

    status: ClassVar[int] = 503
    kind: ClassVar[Kind] = "internal"


class Admission:
    """Lets requests in. ``uid_of`` asks the kernel; only Linux can tell."""

    def __init__(self, token_path: Path, *, uid_of: PeerUid = peer_uid, own_uid: int | None = None) -> None:
        self._token_path = token_path
        self._uid_of = uid_of
        self._own_uid = os.getuid() if own_uid is None else own_uid

    def check(self, ours: Address | None, theirs: Address | None, headers: Headers) -> None:
        """Raises Forbidden for another user, or for a wrong or missing token, and NotReady when there is none."""
        uid = self._uid_of(ours, theirs) if ours and theirs else None
        if uid != self._own_uid and (uid is not None or sys.platform == "linux"):
            raise Forbidden("the sidecar serves the listener of its own user only")
        try:
            token = self._token_path.read_bytes().strip()
        except OSError:
            token = b""
        if not token:
            raise NotReady("the listener has written no sidecar token; is it running? `ccproxy status` shows it")
        given = headers.get_all(TOKEN)
        if len(given) != 1 or not hmac.compare_digest(given[0].encode("latin-1"), token):
            raise Forbidden(f"the header {TOKEN} is missing or wrong; only the listener of this ccproxy may ask")
