"""Random requests, in no dialect: what a client may want of a model, and the Prompt that it amounts to.

``bodies.py`` says them in a dialect. ``SAYS`` is what each can say, so that ``common`` makes of any talk one that two
dialects can both say in full: that is what must survive from the one to the other and back.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.prompt import (
    Call,
    Effort,
    File,
    OutputFormat,
    Part,
    Prompt,
    Reasoning,
    Result,
    Role,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    Turn,
)

A, C, R, G = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE


@dataclass(frozen=True, slots=True)
class Asked:
    """A user speaks."""

    parts: tuple[Text | File, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The model does; calls come last."""

    texts: tuple[str, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Returned:
    """The tools' results, and what the user adds."""

    results: tuple[Result, ...]
    parts: tuple[Text | File, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """An instruction in the middle of the conversation."""

    text: str


type Step = Asked | Answered | Returned | Told


@dataclass(frozen=True, slots=True)
class Talk:
    """A request."""

    system: tuple[str, ...]
    steps: tuple[Step, ...]
    tools: tuple[Tool, ...]
    choice: ToolChoice | None
    parallel: bool | None
    output: OutputFormat | None
    effort: Effort | None
    budget: int | None
    sampling: Sampling
    max_tokens: int | None
    stop: tuple[str, ...]
    user: str | None
    cache_key: str | None
    stream: bool
    terse: bool
    """The shorter of two spellings, where a dialect has two."""


SAYS: dict[str, set[Dialect]] = {
    "told": {A, C, R},
    "image.url": {A, C, R, G},
    "document.data": {A, C, R, G},
    "audio.data": {C, G},
    "result.image": {A, R, G},
    "result.error": {A, G},
    "strict": {A, C, R},
    "parallel": {A, C, R},
    "json": {C, R, G},
    "schema": {A, C, R, G},
    "output.strict": {C, R},
    "effort": {A, C, R, G},
    "effort.minimal": {C, R, G},
    "effort.none": {C, R},
    "budget": {A, G},
    "top_k": {A, G},
    "seed": {C, G},
    "presence_penalty": {C, G},
    "frequency_penalty": {C, G},
    "stop": {A, C, G},
    "user": {A, C, R},
    "cache_key": {C, R},
    "max_tokens.none": {C, R, G},
}
"""What not every dialect can say."""

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda text: bool(text.strip()) and "\x00" not in text
)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,30}", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | words
documents = st.recursive(scalars, lambda some: st.lists(some, max_size=3) | st.dictionaries(words, some, max_size=3))
base64s = st.binary(min_size=1, max_size=20).map(lambda data: base64.b64encode(data).decode())
types = st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean")])


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """A JSON schema of an object, as strict ones have to be."""
    inner = st.recursive(
        types, lambda some: st.builds(lambda each: {"type": "array", "items": each}, some), max_leaves=2
    )
    properties = draw(st.dictionaries(names, inner, max_size=3))
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


files = st.one_of(
    st.builds(lambda mime, data: File("image", mime, data), st.sampled_from(["image/png", "image/jpeg"]), base64s),
    st.builds(lambda name: File("image", url=f"https://files.example/{name}.png"), names),
    st.builds(lambda data: File("document", "application/pdf", data, name="a.pdf"), base64s),
    st.builds(lambda data: File("audio", "audio/wav", data), base64s),
)
parts = st.lists(words.map(Text) | files, min_size=1, max_size=3).map(tuple)


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    """Any talk."""
    tools = draw(
        st.lists(
            st.builds(Tool, names, st.none() | words, schemas(), st.none() | st.just(True)),
            max_size=3,
            unique_by=lambda tool: tool.name,
        ).map(tuple)
    )
    choice = None
    if tools:
        some = tuple(tool.name for tool in tools)
        modes = [None, ToolChoice("auto"), ToolChoice("any"), ToolChoice("none"), ToolChoice("one", some[:1])]
        choice = draw(st.sampled_from(modes))
    return Talk(
        system=draw(st.lists(words, max_size=2).map(tuple)),
        steps=tuple(draw(_steps(tools))),
        tools=tools,
        choice=choice,
        parallel=draw(st.sampled_from([None, False])) if tools and choice != ToolChoice("none") else None,
        output=draw(
            st.none()
            | st.just(OutputFormat())
            | st.builds(OutputFormat, schemas(), names, st.none(), st.none() | st.just(True))
        ),
        effort=draw(st.sampled_from([None, "none", "minimal", "low", "medium", "high"])),
        budget=draw(st.none() | st.integers(1024, 16_000)),
        sampling=draw(samplings),
        max_tokens=draw(st.none() | st.integers(17_000, 32_000)),
        stop=draw(st.lists(words, max_size=3, unique=True).map(tuple)),
        user=draw(st.none() | names),
        cache_key=draw(st.none() | names),
        stream=draw(st.booleans()),
        terse=draw(st.booleans()),
    )


samplings = st.builds(
    Sampling,
    temperature=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
    top_p=st.none() | st.sampled_from([0.0, 0.95, 1.0]),
    top_k=st.none() | st.integers(1, 100),
    seed=st.none() | st.integers(0, 2**31 - 1),
    presence_penalty=st.none() | st.sampled_from([-1.5, 0.0, 1.0]),
    frequency_penalty=st.none() | st.sampled_from([-1.5, 0.0, 1.0]),
)


@st.composite
def _steps(draw: st.DrawFn, tools: tuple[Tool, ...]) -> list[Step]:
    steps: list[Step] = [Asked(draw(parts))]
    for turn in range(draw(st.integers(0, 3))):
        calls: list[Call] = []
        for number in range(draw(st.integers(0, 3)) if tools else 0):
            arguments = json.dumps(draw(st.dictionaries(names, documents, max_size=3)))
            calls.append(Call(f"call_{turn}_{number}", draw(st.sampled_from(tools)).name, arguments))
        texts = draw(st.lists(words, min_size=not calls, max_size=2).map(tuple))
        steps.append(Answered(texts, tuple(calls)))
        if calls:
            results = tuple(draw(_result(call)) for call in calls)
            steps.append(Returned(results, draw(st.just(()) | parts)))
        else:
            steps.append(Asked(draw(parts)))
        if draw(st.booleans()):
            steps.append(Told(draw(words)))
    return steps


@st.composite
def _result(draw: st.DrawFn, call: Call) -> Result:
    content: list[Text | File] = [Text(draw(words))]
    if draw(st.booleans()):
        content.append(File("image", "image/png", draw(base64s)))
    return Result(call.id, call.name, tuple(content), is_error=draw(st.booleans()))


def common(talk: Talk, one: Dialect, other: Dialect) -> Talk:
    """The talk without what not both dialects can say."""

    def can(feature: str) -> bool:
        return {one, other} <= SAYS[feature]

    def fitting(given: tuple[Text | File, ...]) -> tuple[Text | File, ...]:
        kept = tuple(
            part
            for part in given
            if isinstance(part, Text) or (part.kind == "image" and part.data) or can(f"{part.kind}.{_how(part)}")
        )
        return kept or (Text("?"),)

    def result(given: Result) -> Result:
        shown = can("result.image") and not talk.budget  # Gemini's models with budgets see none
        content = tuple(part for part in given.content if isinstance(part, Text) or shown)
        return replace(given, content=content, is_error=given.is_error and can("result.error"))

    steps: list[Step] = []
    for step in talk.steps:
        match step:
            case Asked():
                steps.append(Asked(fitting(step.parts)))
            case Returned():
                results = tuple(result(each) for each in step.results)
                steps.append(Returned(results, fitting(step.parts) if step.parts else ()))
            case Told() if not can("told"):
                pass
            case _:
                steps.append(step)
    told = any(isinstance(step, Told) for step in steps)
    output = talk.output
    if output is not None:
        if not can("json" if output.schema is None else "schema"):
            output = None
        elif not can("output.strict"):
            output = replace(output, strict=None)
    if output is not None and output.schema is None and isinstance(steps[0], Asked):
        steps[0] = Asked(
            (Text("In JSON."), *(part for part in steps[0].parts if isinstance(part, File)))
        )  # they insist
    effort = talk.effort
    if effort is not None and not (can(f"effort.{effort}") if effort in ("none", "minimal") else can("effort")):
        effort = None
    budget = talk.budget if can("budget") and effort is None else None
    if budget is not None and (isinstance(steps[-1], Returned) or told):
        budget = (
            None  # a turn that was begun without thoughts goes on without, and models with budgets know no such turn
        )
    if budget is not None and talk.tools:
        output = None  # with Gemini's budgets there is the one or the other
    max_tokens = talk.max_tokens
    if max_tokens is None and not can("max_tokens.none"):
        max_tokens = 20_000
    dropped = {name: None for name in ("top_k", "seed", "presence_penalty", "frequency_penalty") if not can(name)}
    sampling = replace(talk.sampling, **dropped)
    if A in (one, other):
        if effort is not None or budget is not None or told:
            sampling = Sampling()  # Anthropic thinks at temperature 1; models with system turns have no sampling
        elif sampling.temperature is not None:
            sampling = replace(sampling, top_p=None)  # newer models take one of the two
    choice = talk.choice
    if A in (one, other) and (effort or budget) and choice is not None and choice.mode in ("any", "one"):
        choice = None  # nor is it forced to call then
    return replace(
        talk,
        steps=tuple(steps),
        tools=tuple(tool if can("strict") else replace(tool, strict=None) for tool in talk.tools),
        choice=choice,
        parallel=talk.parallel if can("parallel") else None,
        output=output,
        effort=effort,
        budget=budget,
        sampling=sampling,
        max_tokens=max_tokens,
        stop=talk.stop if can("stop") else (),
        user=talk.user if can("user") else None,
        cache_key=talk.cache_key if can("cache_key") else None,
    )


def _how(file: File) -> str:
    return "data" if file.data is not None else "url"


def prompt_of(talk: Talk) -> Prompt:
    """The Prompt that the talk amounts to."""
    turns: list[Turn] = [Turn("system", (Text(text),)) for text in talk.system]
    for step in talk.steps:
        role: Role
        said: tuple[Part, ...]
        match step:
            case Asked():
                role, said = "user", step.parts
            case Answered():
                role, said = "assistant", (*map(Text, step.texts), *step.calls)
            case Returned():
                role, said = "user", (*step.results, *step.parts)
            case Told():
                role, said = "system", (Text(step.text),)
        turns.append(Turn(role, said))
    reasoning = None
    if talk.effort is not None or talk.budget is not None:
        reasoning = Reasoning(talk.effort != "none", talk.effort, talk.budget)
    return Prompt(
        model="m",
        turns=tuple(turns),
        tools=talk.tools,
        tool_choice=talk.choice,
        parallel_calls=talk.parallel,
        output=talk.output,
        reasoning=reasoning,
        sampling=talk.sampling,
        max_tokens=talk.max_tokens,
        stop=talk.stop,
        stream=talk.stream,
        user=talk.user,
        cache_key=talk.cache_key,
    )


def model_for(dialect: Dialect, talk: Talk) -> str:
    """A model of the dialect's vendor that takes all of the talk."""
    match dialect:
        case Dialect.ANTHROPIC if any(isinstance(step, Told) for step in talk.steps):
            return "claude-opus-4-8"
        case Dialect.ANTHROPIC:
            return "claude-opus-4-5" if talk.effort is None else "claude-opus-4-6"
        case Dialect.GOOGLE:
            return "gemini-2.5-flash" if talk.budget is not None else "gemini-3.5-flash"
        case _:
            return "some-model"
