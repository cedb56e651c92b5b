from __future__ import annotations

from dataclasses import replace

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.estimate import IMAGE, estimate, text_tokens
from ccproxy.lightllm.prompt import (
    Call,
    CustomTool,
    File,
    Opaque,
    OutputFormat,
    Part,
    Prompt,
    Reasoning,
    Result,
    Role,
    ServerTool,
    Text,
    Thought,
    Tool,
    Turn,
)

LONG = "The quick brown fox jumps over the lazy dog. " * 40
BARE = Prompt("m", (Turn("user", (Text("hello"),)),))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("word", 1),
        ("the quick brown fox", 4),
        ("camelCaseName", 3),
        ("snake_case_name", 5),
        ("1234567890" * 9, 30),
        ("def f(x):\n    return x + 1\n", 10),
        ("東京は日本の首都です。", 11),
        ("Привет, как дела?", 9),
        ("😀😀", 4),
        ("=" * 40, 5),
        ("\ud800\0", 2),
    ],
)
def test_texts(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


def test_a_text_costs_what_its_halves_cost() -> None:
    assert text_tokens(LONG) == pytest.approx(2 * text_tokens(LONG[: len(LONG) // 2]), rel=0.02)


PARTS: list[tuple[Role, Part, int]] = [
    ("system", Text(LONG), 380),
    ("user", Text(LONG), 380),
    ("assistant", Text(LONG), 380),
    ("assistant", Thought(LONG), 380),
    ("assistant", Call("c", "f", LONG), 380),
    ("user", Result("c", "f", (Text(LONG),)), 380),
    ("user", Result("c", "f", (File("image", "image/png", data="AAAA"),)), IMAGE - 1),
    ("user", File("image", "image/png", data="AAAA"), IMAGE - 1),
    ("user", File("image", url="https://e.example/i.png", detail="low"), 85),
    ("user", File("document", "application/pdf", data="A" * 60_000), 4_999),
    ("user", File("document", text=LONG), 380),
    ("user", File("document", file_id="f"), 2_999),
    ("user", File("audio", "audio/wav", data="A" * 70_000), 99),
    ("user", File("video", "video/mp4", data="A" * 600_000), 999),
    ("assistant", Opaque(Dialect.ANTHROPIC, "x", {"data": "A" * 3000}), 999),
    ("assistant", Text("x", signature="A" * 600), 99),
]


@pytest.mark.parametrize("provider", Dialect)
@pytest.mark.parametrize(("role", "part", "least"), PARTS, ids=lambda value: type(value).__name__)
def test_every_part_counts(role: Role, part: Part, least: int, provider: Dialect) -> None:
    longer = replace(BARE, turns=(*BARE.turns, Turn(role, (part,))))
    assert least <= estimate(longer, provider) - estimate(BARE, provider) <= least * 1.4 + 30


SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {f"field_{n}": {"type": "string", "description": LONG} for n in range(3)},
}


@pytest.mark.parametrize("provider", Dialect)
@pytest.mark.parametrize(
    ("changed", "least"),
    [
        (replace(BARE, tools=(Tool("f", LONG),)), 380),
        (replace(BARE, tools=(Tool("f", None, SCHEMA),)), 340),
        (replace(BARE, tools=(CustomTool("f", LONG),)), 380),
        (replace(BARE, tools=(ServerTool("mcp", Dialect.ANTHROPIC, {"x": LONG}),)), 380),
        (replace(BARE, output=OutputFormat(SCHEMA)), 340),
    ],
)
def test_tools_and_schemas_count(changed: Prompt, least: int, provider: Dialect) -> None:
    assert estimate(changed, provider) - estimate(BARE, provider) >= least


def test_what_anthropic_adds() -> None:
    thinking = replace(BARE, reasoning=Reasoning(enabled=True))
    assert estimate(thinking, Dialect.ANTHROPIC) - estimate(BARE, Dialect.ANTHROPIC) == 28
    assert estimate(replace(BARE, reasoning=Reasoning(enabled=False)), Dialect.ANTHROPIC) == estimate(
        BARE, Dialect.ANTHROPIC
    )


def test_an_empty_request_has_a_token() -> None:
    assert estimate(Prompt("m", ()), Dialect.GOOGLE) == 1
