"""How a response ended: its status and the reason of its incompleteness, and ``finish.Reason``, both ways.

>>> reason_of("incomplete", "max_output_tokens"), reason_of("completed", None)
('length', 'stop')
>>> status_of("filtered")
('incomplete', 'content_filter')
"""

from __future__ import annotations

from typing import Final, Literal

from ccproxy.lightllm.finish import Reason

type Status = Literal["in_progress", "completed", "incomplete", "failed"]

_REASONS: Final[dict[str, Reason]] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "content_filter": "filtered",
}
# A response has no word for a turn that is to go on. Said to be complete, its half would pass for the answer.
_INCOMPLETE: Final[dict[Reason, str]] = {
    "length": "max_output_tokens",
    "context": "max_output_tokens",
    "paused": "max_output_tokens",
    "filtered": "content_filter",
    "refused": "content_filter",
}


def reason_of(status: str, incomplete: str | None) -> Reason:
    """The reason of a response that is ``completed`` or ``incomplete``, without regard to its items."""
    if incomplete is not None:
        return _REASONS.get(incomplete, "other")
    return "stop" if status == "completed" else "other"


def status_of(reason: Reason, *, refusal: bool = False) -> tuple[Status, str | None]:
    """The status, and the reason if that is ``incomplete``. ``refusal``: the answer has the words of one."""
    incomplete = None if reason == "refused" and refusal else _INCOMPLETE.get(reason)
    return ("completed", None) if incomplete is None else ("incomplete", incomplete)
