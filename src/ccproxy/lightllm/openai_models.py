"""What OpenAI's own models take of a request, as data: which efforts, and whether temperatures.

A model that does not reason refuses ``reasoning_effort``, one that reasons refuses efforts that it does not know, and
``temperature`` and its kin beside any effort but ``none`` (API reference, "reasoning_effort"; the pages of the models,
seen 2026-11). Names that are not here, other vendors' and Azure's deployments, are taken at their word.

>>> fitting("max", known("gpt-5-mini").efforts), fitting("none", known("o3").efforts)
('high', 'low')
>>> known("llama-4") is None
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ccproxy.lightllm.prompt import Effort

SCALE: Final[tuple[Effort, ...]] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Efforts from the least to the most."""

EFFORTS: Final[dict[object, Effort]] = {effort: effort for effort in SCALE}
"""By their words."""


@dataclass(frozen=True, slots=True)
class Model:
    """A family of models."""

    efforts: tuple[Effort, ...]
    """Those that it takes, ascending. None at all: it does not reason."""
    by_default: bool = True
    """It reasons unless it is told not to."""

    def samples(self, effort: Effort | None) -> bool:
        """Whether ``temperature``, ``top_p`` and the penalties may be said beside that effort (None: not said)."""
        return not self.efforts or effort == "none" or (effort is None and not self.by_default)


_PLAIN: Final = Model(())
_O: Final = Model(("low", "medium", "high"))
_CHAT: Final = Model(("medium",))
_PRO: Final = Model(("medium", "high", "xhigh"))
_TO_XHIGH: Final = ("none", "low", "medium", "high", "xhigh")
_TO_MAX: Final = (*_TO_XHIGH, "max")

# The first prefix that fits decides: narrower ones first.
_FAMILIES: Final[tuple[tuple[str, Model], ...]] = (
    ("gpt-6-astra", Model(_TO_MAX[1:])),
    ("gpt-6.1-sol", Model(_TO_MAX[1:])),
    ("gpt-6", Model(_TO_MAX)),
    ("gpt-5.6", Model(_TO_MAX)),
    ("gpt-5.5-pro", _PRO),
    ("gpt-5.5", Model(_TO_XHIGH)),
    ("gpt-5.4-pro", _PRO),
    ("gpt-5.4", Model(_TO_XHIGH, by_default=False)),
    ("gpt-5.3-chat", _CHAT),
    ("gpt-5.3", Model(_TO_XHIGH, by_default=False)),
    ("gpt-5.2-pro", _PRO),
    ("gpt-5.2-chat", _CHAT),
    ("gpt-5.2", Model(_TO_XHIGH, by_default=False)),
    ("gpt-5.1-codex-max", Model(_TO_XHIGH[1:])),
    ("gpt-5.1-codex", _O),
    ("gpt-5.1-chat", _CHAT),
    ("gpt-5.1", Model(_TO_XHIGH[:-1], by_default=False)),
    ("gpt-5-chat", _PLAIN),
    ("gpt-5-pro", Model(("high",))),
    ("gpt-5-codex", _O),
    ("gpt-5", Model(("minimal", "low", "medium", "high"))),
    ("gpt-4", _PLAIN),
    ("gpt-3.5", _PLAIN),
    ("chatgpt-", _PLAIN),
    ("o1", _O),
    ("o3", _O),
    ("o4", _O),
)


def known(name: str) -> Model | None:
    """The family of a model, by its name with or without ``openai/`` or ``ft:``; None for any other."""
    bare = _bare(name)
    return next((model for prefix, model in _FAMILIES if bare.startswith(prefix)), None)


# "max_tokens is too large: … This model supports at most 16384 completion tokens" (seen 2026-11). The first that fits.
_LIMITS: Final[tuple[tuple[str, int], ...]] = (
    ("gpt-4.1", 32768),
    ("gpt-4o", 16384),
    ("chatgpt-4o", 16384),
    ("gpt-4-turbo", 4096),
    ("gpt-3.5", 4096),
    ("gpt-5-chat", 16384),
    ("gpt-5.1-chat", 16384),
    ("gpt-5.2-chat", 16384),
    ("gpt-5.3-chat", 16384),
    ("o1", 100_000),
    ("o3", 100_000),
    ("o4", 100_000),
)


def output_limit(name: str) -> int | None:
    """The most tokens that a model may be asked for; None where it is not known to be less than anybody asks for."""
    bare = _bare(name)
    return next((limit for prefix, limit in _LIMITS if bare.startswith(prefix)), None)


def _bare(name: str) -> str:
    return name.removeprefix("openai/").removeprefix("ft:")


def fitting(effort: Effort, efforts: tuple[Effort, ...]) -> Effort:
    """The lowest of ``efforts`` that is no less than ``effort``, else the highest. ``efforts`` are some, ascending."""
    rank = SCALE.index(effort)
    return next((each for each in efforts if SCALE.index(each) >= rank), efforts[-1])
