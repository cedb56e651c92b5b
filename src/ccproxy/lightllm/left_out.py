"""Warnings that more than one request writer gives, of settings that it leaves out or changes.

A warning names the field and says what was done and why. A value that says no more than every model's default is no
loss.

>>> leave_out_sampling(Sampling(temperature=1, top_p=0.5), "the model refuses it", print)
top_p: left out, the model refuses it
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Sampling, ServerTool, ToolChoice

_NEUTRAL: Final = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
_NO_SETTINGS: Final = frozenset({"type", "name", "cache_control", "strict"})
_DEFAULTS: Final = {"external_web_access": True, "container": {"type": "auto"}}
"""Of OpenAI's; Codex says the first in every request."""


def leave_out_sampling(given: Sampling, why: str, warn: Warn, *, kept: Collection[str] = ("seed",)) -> None:
    """Warn of each setting that is not ``kept`` and says something."""
    for each in fields(given):
        value = getattr(given, each.name)
        if each.name not in kept and value is not None and value != _NEUTRAL.get(each.name):
            warn(f"{each.name}: left out, {why}")


def leave_out_settings(tool: ServerTool, written: Collection[str], warn: Warn) -> None:
    """Warn of the settings of a provider's tool that are not in the counterpart. ``written``: those that are."""
    settings = tool.value
    if (
        tool.dialect is Dialect.GOOGLE
        and len(settings) == 1
        and isinstance(inner := next(iter(settings.values())), dict)
    ):
        settings = inner
    lost = [
        key
        for key, value in settings.items()
        if key not in _NO_SETTINGS and key not in written and value not in (None, [], {}, _DEFAULTS.get(key))
    ]
    if lost:
        warn(f"{tool.at} ({tool.kind}): {', '.join(lost)} left out, the provider's own tool has no such setting")


def leave_out_choice(choice: ToolChoice, warn: Warn) -> None:
    """Warn that a choice is left out because no tool that it names is there; no loss if it leaves all to the model."""
    if choice.mode not in ("auto", "none"):
        whose = " it names" if choice.names else ""
        warn(f"{choice.at or 'tool_choice'}: left out, the request has no tool{whose} that the provider can be given")


def leave_out_tools(choice: ToolChoice, warn: Warn) -> None:
    """Warn that the tools that a choice does not name are left out."""
    warn(f"{choice.at or 'tool_choice'}: the tools that it does not allow are left out, the provider knows no list")
