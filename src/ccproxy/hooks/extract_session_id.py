"""Find the session that the client says it is in.

=================================  ================================================================
Claude Code                        ``x-claude-code-session-id``
Codex                              ``session-id``, formerly ``session_id``
Claude Code, in ``metadata``       ``user_id`` is the text of an object: ``{"session_id": "…"}``
Claude Code before that            ``user_id`` is ``user_…_account_…_session_…``
=================================  ================================================================
"""

from __future__ import annotations

import json
import re

from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import hook

HEADERS = ("x-claude-code-session-id", "session-id", "session_id")
_USER_ID = b'"user_id"'
# It is shown in terminals and pages, so nothing that is not plain text gets in.
_PLAIN = re.compile(r"[!-~]{1,200}")


@hook(reads=[*(f"header:{name}" for name in HEADERS), "body.metadata.user_id"], writes=["ctx.session_id"])
def extract_session_id(ctx: Context, params: object) -> None:
    """The headers first: they cost no parsing."""
    for name in HEADERS:
        if _PLAIN.fullmatch(value := ctx.get_header(name)):
            ctx.session_id = value
            return
    if not ctx.mentions(_USER_ID):
        return
    user_id = ctx.extras.get("metadata.user_id")
    if isinstance(user_id, str) and _PLAIN.fullmatch(found := _session(user_id)):
        ctx.session_id = found


def _session(user_id: str) -> str:
    """The session in a ``user_id`` of either form; empty if there is none."""
    if not user_id.startswith("{"):
        return user_id.rpartition("_session_")[2] if "_session_" in user_id else ""
    try:
        parsed = json.loads(user_id)
    except (ValueError, RecursionError):
        return ""
    found = parsed.get("session_id") if isinstance(parsed, dict) else None
    return found if isinstance(found, str) else ""
