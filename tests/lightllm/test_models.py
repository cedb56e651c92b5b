"""Models are known by their names, with whatever a vendor puts around them."""

from __future__ import annotations

import pytest

from ccproxy.lightllm.models import COMPATIBLE, UNKNOWN_CLAUDE, abilities, default_max_tokens


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-3-opus-20240229", 4096),
        ("claude-3-5-haiku-latest", 8192),
        ("claude-opus-4-20250514", 32000),
        ("claude-opus-4@20250514", 32000),
        ("claude-opus-4-1-20250805", 32000),
        ("anthropic/claude-sonnet-4.5", 64000),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 64000),
        ("claude-opus-4-6", 128000),
        ("claude-opus-5-5[1m]", 128000),
        ("claude-opus-7", 128000),
        ("deepseek-chat", 8192),
        ("deepseek-v4-pro", 65536),
        ("zai-org/GLM-4.6", 98304),
        ("MiniMax-M2", 65536),
        ("llama3", 8192),
        ("", 8192),
    ],
)
def test_what_is_asked_for_by_default(model: str, limit: int) -> None:
    assert default_max_tokens(model) == limit


@pytest.mark.parametrize(
    ("model", "thinking", "off", "sampling", "prefill", "system", "forced"),
    [
        ("claude-3-haiku-20240307", "none", None, True, True, False, True),
        ("claude-sonnet-4-5", "budget", "disabled", True, True, False, True),
        ("claude-opus-4-6", "adaptive", "disabled", True, False, False, True),
        ("claude-opus-4-7", "adaptive", "disabled", False, False, False, True),
        ("claude-opus-4-8", "adaptive", "disabled", False, False, True, True),
        ("claude-sonnet-5", "adaptive", "disabled", False, False, False, True),
        ("claude-fable-5", "adaptive", None, False, False, True, True),
        ("claude-fable-5-2", "adaptive", None, False, False, True, False),
        ("claude-opus-5-5", "adaptive", None, False, False, True, False),
        ("claude-sonnet-5-5", "adaptive", "between_tools", False, False, True, False),
        ("claude-haiku-5-5", "adaptive", "disabled", False, False, True, True),
    ],
)
def test_what_a_claude_takes(
    model: str, thinking: str, off: str | None, sampling: bool, prefill: bool, system: bool, forced: bool
) -> None:
    found = abilities(model)
    assert (found.thinking, found.off) == (thinking, off)
    assert (found.sampling, found.prefill, found.system_turns, found.forced_tools) == (
        sampling,
        prefill,
        system,
        forced,
    )


def test_an_unknown_claude_is_a_newer_one_and_an_unknown_model_another_makers() -> None:
    for model in ("claude-opus-4-9", "claude-sonnet-5-6-20270101", "claude-haiku-6", "claude-next"):
        assert abilities(model) is UNKNOWN_CLAUDE
    for model in ("gpt-5.2", "glm-4.6", "claude", ""):
        assert abilities(model) is COMPATIBLE
