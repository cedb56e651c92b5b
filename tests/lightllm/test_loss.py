"""What becomes of what another dialect has no place for."""

from dataclasses import replace

import pytest

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.loss import LOSS, Fate, Untranslatable, fate, sift, table
from ccproxy.lightllm.prompt import (
    CacheMark,
    File,
    Knob,
    Opaque,
    Part,
    Prompt,
    Result,
    Sampling,
    ServerTool,
    Text,
    Thought,
    Tool,
    Turn,
)

EMPTY = Prompt("m", ())


def asking(part: Part, role: str = "user") -> Prompt:
    return replace(EMPTY, turns=(Turn(role, (part,)),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("part", "target", "word"),
    [
        (File("audio", "audio/wav", data="AA==", at="messages.0.content.1"), Dialect.ANTHROPIC, "audio data"),
        (File("video", url="https://x/v.mp4", at="contents.0.parts.0"), Dialect.OPENAI, "video url"),
        (File("image", file_id="file_1", at="input.2"), Dialect.GOOGLE, "image file"),
        (File("document", url="https://x/a.pdf", at="messages.0"), Dialect.OPENAI, "document url"),
        (Opaque(Dialect.ANTHROPIC, "container_upload", {}, at="messages.4"), Dialect.GOOGLE, "opaque"),
        (Result("c", "f", (Opaque(Dialect.OPENAI, "odd", {}, at="messages.5"),)), Dialect.GOOGLE, "opaque"),
        (Result("c", "f", (File("audio", data="AA==", at="messages.6"),)), Dialect.ANTHROPIC, "audio data"),
    ],
)
def test_content_without_a_counterpart_is_an_error_that_names_the_field(part: Part, target: Dialect, word: str) -> None:
    with pytest.raises(Untranslatable, match=word) as caught:
        sift(asking(part), target)
    inner = part.content[0] if isinstance(part, Result) else part
    assert str(caught.value).startswith(inner.at)
    assert caught.value.status == 400


@pytest.mark.parametrize("name", ["state", "background", "several_answers", "modalities"])
def test_settings_that_change_what_is_asked_for_are_errors(name: str) -> None:
    for target in Dialect:
        with pytest.raises(Untranslatable, match="n_or_so"):
            sift(replace(EMPTY, knobs=(Knob(name, 2, "n_or_so"),)), target)


def test_settings_are_left_out_with_a_warning_each() -> None:
    prompt = replace(
        EMPTY,
        sampling=Sampling(temperature=0.5, top_k=4, seed=1, presence_penalty=0.1, frequency_penalty=0.2),
        stop=("END",),
        user="u",
        cache_key="k",
        cache=CacheMark("1h"),
        parallel_calls=False,
        tools=(Tool("f", strict=True, cache=CacheMark()), ServerTool("computer", Dialect.ANTHROPIC, {}, "tools.1")),
        knobs=(Knob("verbosity", "low", "text.verbosity"), Knob("whatever", 1, "x_new"), Knob("other", 1, "x_old")),
    )
    kept, warnings = sift(prompt, Dialect.GOOGLE)
    assert kept.sampling == prompt.sampling and kept.stop == ("END",)
    assert (kept.user, kept.cache_key, kept.cache, kept.parallel_calls, kept.knobs) == (None, None, None, None, ())
    assert kept.tools == (Tool("f"),)
    told = " ".join(warnings)
    for word in ("user", "cache_key", "parallel_calls", "tools.1", "text.verbosity", "x_new", "x_old"):
        assert word in told
    kept, warnings = sift(prompt, Dialect.OPENAI)
    assert kept.sampling == replace(prompt.sampling, top_k=None) and any("top_k" in each for each in warnings)
    assert kept.knobs == (prompt.knobs[0],)
    kept, _ = sift(prompt, Dialect.OPENAI_RESPONSES)
    assert kept.sampling == Sampling(temperature=0.5) and kept.stop == ()


def test_one_warning_is_enough_for_many_cache_marks() -> None:
    parts = tuple(Text(str(number), cache=CacheMark(), at=f"messages.{number}") for number in range(50))
    kept, warnings = sift(replace(EMPTY, turns=(Turn("user", parts),)), Dialect.OPENAI)
    assert len(warnings) == 1 and all(part.cache is None for part in kept.turns[0].parts if isinstance(part, Text))
    assert sift(replace(EMPTY, turns=(Turn("user", parts),)), Dialect.ANTHROPIC)[1] == ()


def test_thoughts_go_where_they_are_understood() -> None:
    bare, signed = Thought("hm"), Thought("hm", "c2ln")
    for target in Dialect:
        assert sift(asking(signed, "assistant"), target)[0].turns[0].parts == (signed,)
    assert sift(asking(bare, "assistant"), Dialect.OPENAI)[0].turns[0].parts == (bare,)
    assert sift(asking(bare, "assistant"), Dialect.ANTHROPIC)[0].turns[0].parts == ()


def test_what_a_providers_own_tools_did_is_left_out_of_the_history() -> None:
    part = Opaque(Dialect.ANTHROPIC, "web_search_tool_result", {}, at="messages.1.content.2")
    kept, warnings = sift(asking(part, "assistant"), Dialect.OPENAI)
    assert kept.turns[0].parts == () and "web_search_tool_result" in warnings[0]


def test_the_table_is_whole() -> None:
    assert all(len(row.fates) == 4 for row in LOSS.values())
    assert set(table()) < set(LOSS)
    assert fate("temperature", Dialect.GOOGLE) is Fate.KEPT
