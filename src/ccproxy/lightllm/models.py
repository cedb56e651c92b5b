"""What has to be known of a model before it is asked, by its name: how much it may write, and what it refuses.

The table is of 2026-11-21, from Anthropic's documentation ("Models overview", "Troubleshooting thinking", "Effort",
"Mid-conversation system messages", "Structured outputs", the migration guides of each model) and, for other makers,
from theirs. Names are compared by prefix, without a vendor's own (``us.anthropic.``, ``anthropic/``), with dots read as
dashes; the longest prefix counts, and what follows it is no further version number.

A Claude that is not in the table is taken for a newer one, and gets what no model refuses. A model of an unknown maker
is asked as servers with a compatible API are.

>>> default_max_tokens("claude-haiku-4-5-20251001"), default_max_tokens("anthropic/claude-opus-5.5")
(64000, 128000)
>>> abilities("us.anthropic.claude-opus-4-5-20251101-v1:0").thinking, abilities("claude-opus-4-6").thinking
('budget', 'adaptive')
>>> abilities("claude-opus-4-9") is UNKNOWN_CLAUDE, default_max_tokens("qwen3:32b")
(True, 8192)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from ccproxy.lightllm.prompt import Effort

DEFAULT_LIMIT: Final = 8192
"""Tokens of output, for a model of which nothing is known: more is refused by servers with a short context."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a model behind the Messages API takes."""

    output_limit: int | None
    """Most tokens of an answer; a larger ``max_tokens`` is refused. None: not known."""
    thinking: Literal["none", "budget", "adaptive"]
    """``budget``: ``thinking: {type: enabled, budget_tokens}``. ``adaptive``: ``{type: adaptive}`` and an effort."""
    off: Literal["disabled", "between_tools"] | None = "disabled"
    """The ``thinking.type`` that thinks least. None: it cannot be said."""
    efforts: tuple[Effort, ...] = ()
    """Values of ``output_config.effort``, from the least."""
    sampling: bool = True
    """Whether ``temperature``, ``top_p`` and ``top_k`` are taken while it does not think."""
    both: bool = True
    """Whether ``temperature`` and ``top_p`` are taken together."""
    prefill: bool = True
    """Whether the last turn may be the assistant's, to be continued."""
    system_turns: bool = False
    """Whether ``role: system`` is taken inside ``messages``."""
    forced_tools: bool = True
    """Whether ``tool_choice`` may be ``any`` or ``tool``."""
    schemas: bool = False
    """Whether ``output_config.format`` and ``strict`` tools are taken."""


COMPATIBLE: Final = Abilities(None, "budget")
"""Other makers' servers."""

_ALL: Final[tuple[Effort, ...]] = ("low", "medium", "high", "xhigh", "max")
_3: Final = Abilities(4096, "none", off=None)
_3_5: Final = replace(_3, output_limit=8192)
_3_7: Final = Abilities(64000, "budget")
_4: Final = Abilities(64000, "budget")
_OPUS_4: Final = Abilities(32000, "budget")
_OPUS_4_1: Final = replace(_OPUS_4, both=False, schemas=True)
_4_5: Final = Abilities(64000, "budget", both=False, schemas=True)
_4_6: Final = Abilities(
    128000, "adaptive", efforts=("low", "medium", "high", "max"), both=False, prefill=False, schemas=True
)
_4_7: Final = replace(_4_6, efforts=_ALL, sampling=False)
_4_8: Final = replace(_4_7, system_turns=True)
_ALWAYS: Final = replace(_4_8, off=None)
_ALWAYS_FREE: Final = replace(_ALWAYS, forced_tools=False)
UNKNOWN_CLAUDE: Final = replace(_ALWAYS_FREE, system_turns=False)

_CLAUDE: Final[dict[str, Abilities]] = {
    "claude-3": _3,
    "claude-3-5": _3_5,
    "claude-3-7": _3_7,
    "claude-sonnet-4": _4,
    "claude-sonnet-4-0": _4,
    "claude-4-sonnet": _4,
    "claude-opus-4": _OPUS_4,
    "claude-opus-4-0": _OPUS_4,
    "claude-4-opus": _OPUS_4,
    "claude-opus-4-1": _OPUS_4_1,
    "claude-sonnet-4-5": _4_5,
    "claude-haiku-4-5": _4_5,
    "claude-opus-4-5": _4_5,
    "claude-sonnet-4-6": _4_6,
    "claude-opus-4-6": _4_6,
    "claude-opus-4-7": _4_7,
    "claude-opus-4-8": _4_8,
    "claude-mythos-preview": replace(_ALWAYS, system_turns=False),
    "claude-sonnet-5": _4_7,  # the documentation of its first month excludes system turns, later lists name it
    "claude-opus-5": _4_8,
    "claude-fable-5": _ALWAYS,
    "claude-mythos-5": _ALWAYS,
    "claude-fable-5-1": _ALWAYS_FREE,
    "claude-mythos-5-1": _ALWAYS_FREE,
    "claude-opus-5-5": _ALWAYS_FREE,
    "claude-sonnet-5-5": replace(_ALWAYS_FREE, off="between_tools"),
    "claude-haiku-5-5": _4_8,
    "claude-fable-5-2": _ALWAYS_FREE,
    "claude-mythos-5-2": _ALWAYS_FREE,
}
_LIMITS: Final[dict[str, int]] = {
    "deepseek-chat": 8192,
    "deepseek": 65536,
    "glm": 98304,
    "minimax": 65536,
    "kimi": 32768,
    "qwen": 8192,
}
"""Other makers' models that are served by the Messages API."""

_VERSION: Final = re.compile(r"-\d{1,2}(?!\d)")


def abilities(model: str) -> Abilities:
    """What a model takes; see above for those that are not in the table."""
    _, found, rest = model.lower().replace(".", "-").rpartition("claude-")
    if not found:
        return COMPATIBLE
    name = found + rest
    best = ""
    for prefix in _CLAUDE:
        if len(prefix) > len(best) and name.startswith(prefix) and _VERSION.match(name, len(prefix)) is None:
            best = prefix
    return _CLAUDE[best] if best else UNKNOWN_CLAUDE


def default_max_tokens(model: str) -> int:
    """What to ask for where the client says nothing: as much as the model can write."""
    if (limit := abilities(model).output_limit) is not None:
        return limit
    name = model.lower().rpartition("/")[2]
    known = [prefix for prefix in _LIMITS if name.startswith(prefix)]
    return _LIMITS[max(known, key=len)] if known else DEFAULT_LIMIT
