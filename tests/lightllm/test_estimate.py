from __future__ import annotations

import json
import statistics
from dataclasses import replace

import pytest

from ccproxy.lightllm.codecs import REQUEST_READERS
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.estimate import estimate, text_tokens
from ccproxy.lightllm.plan import Asked
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
from ccproxy.lightllm.tap import StreamTap
from tests.lightllm.recordings import recordings
from tests.support.need import need

LONG = "The quick brown fox jumps over the lazy dog. " * 40
PNG = "iVBORw0KGgoAAAANSUhEUgAAAyAAAAJYCAYAAAA="  # 800 by 600
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


@pytest.mark.parametrize(
    ("provider", "small", "low", "unknown"),
    [
        (Dialect.ANTHROPIC, 640, 0, 1398),
        (Dialect.OPENAI, 397, 85, 766),
        (Dialect.OPENAI_RESPONSES, 397, 85, 766),
        (Dialect.GOOGLE, 468, 258, 717),
    ],
)
def test_pictures_count_by_their_size(provider: Dialect, small: int, low: int, unknown: int) -> None:
    for file, tokens in (
        (File("image", "image/png", data=PNG), small),
        (File("image", "image/png", data=PNG, detail="low"), low),
        (File("image", url="https://e.example/i.png"), unknown),
        (File("image", "image/webp", data="AAAA"), unknown),
    ):
        for part in (file, Result("c", "f", (file,))):
            shown = replace(BARE, turns=(*BARE.turns, Turn("user", (part,))))
            without = Result("c", "f", ()) if isinstance(part, Result) else Text("")
            bare = replace(BARE, turns=(*BARE.turns, Turn("user", (without,))))
            assert abs(estimate(shown, provider) - estimate(bare, provider) - tokens) <= 1


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


def test_what_providers_counted() -> None:
    """Of requests whose input is the client's own: no tool of the provider's read more in, nothing was kept by it."""
    errors: list[tuple[int, float]] = []
    for recording in recordings():
        tap = StreamTap(recording.dialect)
        tap.feed(recording.stream)
        if recording.request is None or tap.usage is None or not tap.usage.input:
            continue
        prompt = REQUEST_READERS[recording.dialect].read(json.loads(recording.request), Asked("m"))
        if not _helped(prompt):
            counted = tap.usage.input
            errors.append((counted, abs(estimate(prompt, recording.dialect) - counted) / counted))
    need(len(errors) > 40, "too few recordings have their request")
    assert statistics.median(error for _, error in errors) < 0.2
    assert statistics.median(error for counted, error in errors if counted > 300) < 0.1


def _helped(prompt: Prompt) -> bool:
    parts = [part for turn in prompt.turns for part in turn.parts]
    return (
        any(isinstance(tool, ServerTool) for tool in prompt.tools)
        or any(isinstance(part, Opaque) or (isinstance(part, File) and part.url is not None) for part in parts)
        or any(knob.name in ("state", "context_management") for knob in prompt.knobs)
        or prompt.model.startswith("compound")  # Groq's, which searches the web
    )
