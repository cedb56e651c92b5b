"""What cannot be said in another dialect, and what becomes of it: the table, and its application to a request.

*content* that has no counterpart is an error that names the field: an answer to half a question is worse than none. A
*knob* is left out with a warning on the flow. Where a counterpart is not exact, the note says what is done instead.

>>> fate("top_k", Dialect.OPENAI)
<Fate.DROPPED: 'dropped'>
>>> fate("video.url", Dialect.ANTHROPIC)
<Fate.REFUSED: 'refused'>
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.prompt import (
    Call,
    CustomTool,
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


class Fate(StrEnum):
    """What becomes of a feature."""

    KEPT = "kept"
    DROPPED = "dropped"
    REFUSED = "refused"


_RUN_BY_SERVERS: Final = frozenset({"web_search", "web_fetch", "code_execution", "mcp"})
_K, _D, _R = Fate.KEPT, Fate.DROPPED, Fate.REFUSED
_ORDER: Final = (Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OPENAI_RESPONSES, Dialect.GOOGLE)


@dataclass(frozen=True, slots=True)
class Row:
    """One feature. ``fates`` are toward anthropic, openai, openai_responses and google."""

    fates: tuple[Fate, Fate, Fate, Fate]
    note: str = ""


LOSS: Final[dict[str, Row]] = {
    # content
    "image.data": Row((_K, _K, _K, _K)),
    "image.url": Row((_K, _K, _K, _K)),
    "image.file": Row((_R, _R, _R, _R), "a provider's own file is of no use to another"),
    "document.data": Row((_K, _K, _K, _K)),
    "document.text": Row((_K, _K, _K, _K), "as text where there are no text documents"),
    "document.url": Row((_K, _R, _K, _K)),
    "document.file": Row((_R, _R, _R, _R), "a provider's own file is of no use to another"),
    "audio.data": Row((_R, _K, _K, _K)),
    "audio.url": Row((_R, _R, _R, _K)),
    "audio.file": Row((_R, _R, _R, _R)),
    "video.data": Row((_R, _R, _R, _K)),
    "video.url": Row((_R, _R, _R, _K)),
    "video.file": Row((_R, _R, _R, _R)),
    "result.file": Row((_K, _K, _K, _K), "Chat: in a user message behind the tool's"),
    "result.error": Row((_K, _D, _D, _K), "the text says it anyhow"),
    "opaque": Row((_R, _R, _R, _R), "content that one dialect alone knows"),
    "server_call": Row((_D, _D, _D, _D), "what the provider's own tools did in an earlier turn"),
    "thinking": Row((_D, _K, _D, _D), "without its signature, which `Memory` gives back to its own provider"),
    # tools
    "custom_tool": Row((_K, _K, _K, _K), "a function with one string, `input`, where there are none"),
    "web_search": Row((_K, _D, _K, _K)),
    "web_fetch": Row((_K, _D, _D, _K)),
    "code_execution": Row((_K, _D, _K, _K)),
    "server_tool": Row((_D, _D, _D, _D)),
    "strict": Row((_K, _K, _K, _D)),
    "parallel_calls": Row((_K, _K, _K, _D)),
    # settings
    "cache": Row((_K, _D, _D, _D), "they cache by themselves"),
    "cache_key": Row((_D, _K, _K, _D)),
    "temperature": Row((_K, _K, _K, _K)),
    "top_p": Row((_K, _K, _K, _K)),
    "top_k": Row((_K, _D, _D, _K)),
    "seed": Row((_D, _K, _D, _K)),
    "presence_penalty": Row((_D, _K, _D, _K)),
    "frequency_penalty": Row((_D, _K, _D, _K)),
    "stop": Row((_K, _K, _D, _K)),
    "user": Row((_K, _K, _K, _D)),
    "detail": Row((_D, _K, _K, _D)),
    "verbosity": Row((_D, _K, _K, _D)),
    "service_tier": Row((_D, _K, _K, _D)),
    "metadata": Row((_D, _K, _K, _D)),
    "store": Row((_D, _K, _K, _D)),
    "logprobs": Row((_D, _D, _D, _D)),
    "logit_bias": Row((_D, _D, _D, _D)),
    "safety": Row((_D, _D, _D, _D)),
    "include": Row((_D, _D, _D, _D), "encrypted reasoning is always asked for"),
    "truncation": Row((_D, _D, _D, _D)),
    "prediction": Row((_D, _D, _D, _D)),
    "context_management": Row((_D, _D, _D, _D)),
    "beta": Row((_D, _D, _D, _D)),
    "unknown": Row((_D, _D, _D, _D)),
    # settings that change what is asked for
    "several_answers": Row((_R, _R, _R, _R), "`n`, `candidateCount` above 1"),
    "modalities": Row((_R, _R, _R, _R), "speech, or pictures alone, as the answer"),
    "state": Row((_R, _R, _R, _R), "a conversation or prompt that the other provider keeps"),
    "background": Row((_R, _R, _R, _R)),
    "mcp": Row((_R, _R, _R, _R), "tool servers that the other provider calls"),
}
"""Feature of a request → what becomes of it. The README's table is made from this."""


class Untranslatable(BadRequest):
    """A request has content that the other wire format cannot carry."""


def fate(feature: str, target: Dialect) -> Fate:
    """What becomes of a feature toward a dialect."""
    return LOSS[feature].fates[_ORDER.index(target)]


def sift(prompt: Prompt, target: Dialect) -> tuple[Prompt, tuple[str, ...]]:
    """The request without what ``target`` has no place for, and a warning for each kind of it.

    Raises Untranslatable for content that must not be left out.
    """
    sieve = _Sieve(target)
    kept = replace(
        prompt,
        turns=tuple(sieve.turn(turn) for turn in prompt.turns),
        tools=tuple(sieve.tools(prompt.tools)),
        parallel_calls=sieve.setting("parallel_calls", prompt.parallel_calls),
        sampling=sieve.sampling(prompt.sampling),
        stop=prompt.stop if sieve.keeps("stop", "stop", present=bool(prompt.stop)) else (),
        user=sieve.setting("user", prompt.user),
        cache_key=sieve.setting("cache_key", prompt.cache_key),
        cache=sieve.setting("cache", prompt.cache),
        knobs=tuple(knob for knob in prompt.knobs if sieve.keeps(_row(knob), knob.at or knob.name)),
    )
    return kept, tuple(sieve.warnings.values())


def _row(knob: Knob) -> str:
    return knob.name if knob.name in LOSS else "unknown"


class _Sieve:
    def __init__(self, target: Dialect) -> None:
        self.target = target
        self.warnings: dict[str, str] = {}

    def keeps(self, feature: str, at: str, *, present: bool = True) -> bool:
        if not present:
            return True
        match fate(feature, self.target):
            case Fate.KEPT:
                return True
            case Fate.DROPPED:
                key = at if feature == "unknown" else feature
                self.warnings.setdefault(key, f"{at}: left out, {self.target} has no place for it")
                return False
            case Fate.REFUSED:
                note = f" ({LOSS[feature].note})" if LOSS[feature].note else ""
                raise Untranslatable(
                    f"{at}: {feature.replace('.', ' ').replace('_', ' ')} cannot be translated to {self.target}{note}"
                )

    def setting[T](self, feature: str, value: T | None) -> T | None:
        return value if self.keeps(feature, feature, present=value is not None) else None

    def sampling(self, given: Sampling) -> Sampling:
        for name in ("top_k", "seed", "presence_penalty", "frequency_penalty"):
            if not self.keeps(name, name, present=getattr(given, name) is not None):
                given = replace(given, **{name: None})
        return given

    def turn(self, turn: Turn) -> Turn:
        return Turn(turn.role, tuple(self.parts(turn)), turn.at)

    def parts(self, turn: Turn) -> Iterator[Part]:
        for part in turn.parts:
            match part:
                case Opaque():
                    if self.keeps("server_call" if turn.role == "assistant" else "opaque", f"{part.at} ({part.type})"):
                        yield part
                case File():
                    yield self.file(part)
                case Result():
                    yield self.result(part)
                case Text():
                    yield self.unmarked(part)
                case Call():
                    yield self.unmarked(part)
                case Thought():
                    if part.signature is not None or self.keeps("thinking", part.at):
                        yield part

    def file(self, file: File) -> File:
        if file.data is not None:
            how = "data"
        elif file.url is not None:
            how = "url"
        else:
            how = "text" if file.text is not None else "file"
        self.keeps(f"{file.kind}.{how}", file.at)
        if not self.keeps("detail", file.at, present=file.detail not in (None, "auto")):
            file = replace(file, detail=None)
        return self.unmarked(file)

    def result(self, result: Result) -> Result:
        content: list[Text | File | Opaque] = []
        for part in result.content:
            match part:
                case File():
                    self.keeps("result.file", part.at)
                    content.append(self.file(part))
                case Opaque():
                    self.keeps("opaque", f"{part.at} ({part.type})")
                case Text():
                    content.append(self.unmarked(part))
        is_error = result.is_error and self.keeps("result.error", result.at)
        same = [id(part) for part in content] == [id(part) for part in result.content]
        if not same or is_error != result.is_error:
            result = replace(result, content=tuple(content), is_error=is_error)
        return self.unmarked(result)

    def unmarked[T: (Text, Call, File, Result, Tool)](self, marked: T) -> T:
        """Without a cache mark that is not kept."""
        return (
            marked if self.keeps("cache", marked.at, present=marked.cache is not None) else replace(marked, cache=None)
        )

    def tools(self, tools: tuple[Tool | CustomTool | ServerTool, ...]) -> Iterator[Tool | CustomTool | ServerTool]:
        for tool in tools:
            match tool:
                case ServerTool():
                    feature = tool.kind if tool.kind in _RUN_BY_SERVERS else "server_tool"
                    if self.keeps(feature, f"{tool.at} ({tool.kind})"):
                        yield tool
                case Tool():
                    loose = not self.keeps("strict", tool.at, present=tool.strict is True)
                    yield self.unmarked(replace(tool, strict=None) if loose else tool)
                case CustomTool():
                    yield tool


def table() -> Mapping[str, tuple[Fate, ...]]:
    """The rows in which something is lost, for people."""
    return {name: row.fates for name, row in LOSS.items() if set(row.fates) != {Fate.KEPT}}
