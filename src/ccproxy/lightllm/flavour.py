"""How providers of one dialect differ, as data: the ``type`` of a provider in the configuration names a flavour.

>>> flavour_of("deepseek", "api.deepseek.com").dialect
<Dialect.ANTHROPIC: 'anthropic'>
>>> flavour_of("openai", "api.openai.com").thoughts_back, flavour_of("openai", "llm.example").thoughts_back
(False, True)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from ccproxy.lightllm.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Flavour:
    """What a provider does in a way of its own. Seen 2026-11 in the providers' references."""

    dialect: Dialect
    name: str
    max_tokens_key: str = "max_tokens"
    """Chat: the reasoning models of api.openai.com refuse ``max_tokens``, most other servers know nothing else."""
    developer: bool = False
    """Chat, Responses: system turns are ``developer`` messages."""
    thoughts_back: bool = True
    """Chat: an assistant message may carry ``reasoning_content``. DeepSeek, Kimi and GLM want it in tool loops;
    api.openai.com refuses keys that it does not know."""
    reasoning: Literal["effort", "object", "thinking"] = "effort"
    """Chat: ``reasoning_effort``; OpenRouter's ``reasoning: {effort, max_tokens}``; ``thinking: {type}``."""
    custom_tools: bool = False
    """Tools whose argument is free text. Without them they are functions with one string."""
    system_turns: bool = True
    """Anthropic: ``role: system`` inside ``messages``. Without it such a turn is a user's, its text in ``<system>``."""
    output_format: bool = True
    """Anthropic: ``output_config.format``. Without it the schema is told in words."""
    adaptive: bool = True
    """Anthropic: models think adaptively, with ``output_config.effort``; without it, by ``budget_tokens``."""
    chatgpt: bool = False
    """Responses: the backend of ChatGPT's subscriptions. It answers in streams only, keeps nothing, wants instructions,
    and refuses limits, sampling and names of users."""


_ANTHROPIC: Final = Flavour(Dialect.ANTHROPIC, "anthropic")
_COMPATIBLE: Final = replace(_ANTHROPIC, system_turns=False, output_format=False, adaptive=False)
_CHAT: Final = Flavour(Dialect.OPENAI, "openai")
_GOOGLE: Final = Flavour(Dialect.GOOGLE, "google")

FLAVOURS: Final[dict[str, Flavour]] = {
    "anthropic": _ANTHROPIC,
    "deepseek": replace(_COMPATIBLE, name="deepseek"),
    "zai": replace(_COMPATIBLE, name="zai"),
    "minimax": replace(_COMPATIBLE, name="minimax"),
    "openai": _CHAT,
    "openrouter": replace(_CHAT, name="openrouter", reasoning="object"),
    "openai_responses": Flavour(Dialect.OPENAI_RESPONSES, "openai_responses", developer=True, custom_tools=True),
    "google": _GOOGLE,
    "gemini": replace(_GOOGLE, name="gemini"),
    "vertex_ai": replace(_GOOGLE, name="vertex_ai"),
    "vertex_ai_beta": replace(_GOOGLE, name="vertex_ai_beta"),
}
"""By the provider's ``type``."""

_OPENAI_HOST: Final = "api.openai.com"
_CHATGPT_HOST: Final = "chatgpt.com"


def flavour_of(kind: str, host: str) -> Flavour:
    """The flavour of a provider of that ``type`` at that host. KeyError for a type that is not built."""
    flavour = FLAVOURS[kind]
    if flavour.name == "openai" and (host == _OPENAI_HOST or host.endswith(".openai.azure.com")):
        return replace(
            flavour, max_tokens_key="max_completion_tokens", developer=True, thoughts_back=False, custom_tools=True
        )
    if flavour.dialect is Dialect.OPENAI_RESPONSES and host == _CHATGPT_HOST:
        return replace(flavour, chatgpt=True)
    return flavour
