"""The order that the Messages API wants of a conversation (Anthropic API reference, "Messages", "Tool use" and
"Mid-conversation system messages"; the refusals as seen 2026-11):

* the user speaks first, and the two alternate (Anthropic joins neighbours itself, compatible servers do not);
* a message with calls is followed by one that begins with their results, of each exactly one, and ids are not used
  twice;
* a system turn stands behind a user's message and before the assistant's or at the end; where that cannot be, or the
  model knows no such turns, it is a text in ``<system>`` of the user's;
* an empty or blank text is no content, and a message without content is none.

Other dialects let results be missing, come late, or without their call. A missing one is said to be missing; one
without a call becomes text.

>>> turns = [Turn("user", (Text("a"),)), Turn("assistant", (Call("c", "f", "{}"),)), Turn("system", (Text("s"),)),
...          Turn("user", (Text("b"), Result("c", "f", (Text("r"),))))]
>>> [(each.role, [type(part).__name__ for part in each.parts]) for each in arrange(turns, system_turns=True).turns]
[('user', ['Text']), ('assistant', ['Call']), ('user', ['Result', 'Text']), ('system', ['Text'])]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.prompt import Call, File, Opaque, Part, Result, Text, Thought, Turn

OPENING: Final = Text("(start of the conversation)")
"""Stands for the user where the assistant speaks first, or nobody does."""
MISSING: Final = Text("(no result)")
_ID_LENGTH: Final = 256


@dataclass(frozen=True, slots=True)
class Conversation:
    """What goes into ``system`` and into ``messages``."""

    system: tuple[Text, ...]
    turns: tuple[Turn, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What the conversation was given or not left as it was, by the field."""

    @property
    def unthought(self) -> bool:
        """Whether the results at the end are of a turn that has no thoughts in front."""
        if len(self.turns) < 2 or not any(isinstance(part, Result) for part in self._last_user.parts):
            return False
        said = next((turn for turn in reversed(self.turns) if turn.role == "assistant"), None)
        return said is not None and not isinstance(said.parts[0], Thought)

    @property
    def _last_user(self) -> Turn:
        return self.turns[-2] if self.turns[-1].role == "system" else self.turns[-1]


def arrange(turns: Iterable[Turn], *, system_turns: bool) -> Conversation:
    """The conversation in that order. ``system_turns``: the model takes them between the others."""
    said = [turn for turn in map(_filled, turns) if turn.parts]
    start = next((place for place, turn in enumerate(said) if turn.role != "system"), len(said))
    leading = [part for turn in said[:start] for part in turn.parts]
    system = tuple(part for part in leading if isinstance(part, Text))
    others = tuple(part for part in leading if not isinstance(part, Text))
    rest = [*([Turn("user", others)] if others else []), *said[start:]]
    arranging = _Arranging(rest, system_turns)
    return Conversation(system, tuple(_joined(arranging.run())), tuple(arranging.notes))


def _filled(turn: Turn) -> Turn:
    """Without what the API takes for empty, and without what it cannot take: unsigned thoughts, others' content."""
    kept = tuple(part for part in turn.parts if _says(part))
    return turn if len(kept) == len(turn.parts) else replace(turn, parts=kept)


def _says(part: Part) -> bool:
    match part:
        case Text():
            return bool(part.text.strip())
        case Thought():
            return part.signature is not None
        case Opaque():
            return part.dialect is Dialect.ANTHROPIC
        case _:
            return True


def _joined(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Without neighbours of the same role: what was between them has been moved."""
    for _, group in groupby(turns, key=lambda turn: turn.role):
        first, *others = group
        yield replace(first, parts=tuple(part for turn in (first, *others) for part in turn.parts)) if others else first


class _Arranging:
    def __init__(self, turns: Sequence[Turn], system_turns: bool) -> None:
        self.turns = turns
        self.system_turns = system_turns
        self.results: dict[str, deque[tuple[int, Result]]] = {}
        """By the id of the call: those not yet placed, with the number of their turn."""
        for number, turn in enumerate(turns):
            for part in turn.parts:
                if isinstance(part, Result):
                    self.results.setdefault(part.call_id, deque()).append((number, part))
        self.used: set[int] = set()
        """``id`` of the results that are placed."""
        self.ids: dict[str, int] = {}
        self.notes: list[str] = []

    def run(self) -> Iterator[Turn]:
        runs = [
            (assistant, list(group))
            for assistant, group in groupby(enumerate(self.turns), key=lambda item: item[1].role == "assistant")
        ]
        if not runs or runs[0][0]:
            self.notes.append(f'messages: "{OPENING.text}" is said first, the user has to begin')
            yield Turn("user", (OPENING,))
        for place, (assistant, group) in enumerate(runs):
            if not assistant:
                if place == 0:
                    yield from self.user(group, ())
                continue
            parts, answers = self.assistant(group)
            if parts:
                yield Turn("assistant", tuple(parts), group[0][1].at)
            yield from self.user(runs[place + 1][1] if place + 1 < len(runs) else [], answers)

    def assistant(self, group: Sequence[tuple[int, Turn]]) -> tuple[list[Part], list[Part]]:
        """What the assistant says, and what the user's next message begins with."""
        said: list[Part] = []
        answers: list[Part] = []
        pictures: list[Part] = []
        for number, turn in group:
            for part in turn.parts:
                match part:
                    case Call():
                        call = replace(part, id=self.unique(part.id))
                        said.append(call)
                        answers.append(self.result(number, part, call.id))
                    case File():
                        pictures.append(part)
                    case _:
                        said.append(part)
        return said, answers + pictures

    def unique(self, call_id: str) -> str:
        times = self.ids[call_id] = self.ids.get(call_id, 0) + 1
        if times == 1:
            return call_id
        tail = f"_{times}"
        return self.unique(call_id[: _ID_LENGTH - len(tail)] + tail)

    def result(self, number: int, call: Call, call_id: str) -> Result:
        waiting = self.results.get(call.id)
        while waiting:
            at, result = waiting.popleft()
            if at >= number:
                self.used.add(id(result))
                return result if call_id == call.id else replace(result, call_id=call_id)
        self.notes.append(f'{call.at or "messages"}: the call has no result, "{MISSING.text}" stands for it')
        return Result(call_id, call.name, (MISSING,), is_error=True, at=call.at)

    def user(self, group: Sequence[tuple[int, Turn]], answers: Sequence[Part]) -> Iterator[Turn]:
        """The user's message, and the system's behind it."""
        asked = list(answers)
        told: list[Part] = []
        spoken = bool(answers) or any(self.content(turn) for _, turn in group)
        for _, turn in group:
            for part in turn.parts:
                if isinstance(part, Result):
                    if id(part) not in self.used:
                        self.notes.append(f"{part.at or 'messages'}: the result is told as text, its call is not there")
                        asked += _as_text(part)
                elif turn.role == "user" or not isinstance(part, Text):
                    asked.append(part)
                elif self.system_turns and spoken:
                    told.append(part)
                else:
                    asked.append(replace(part, text=f"<system>\n{part.text}\n</system>"))
        if asked:
            yield Turn("user", tuple(asked), group[0][1].at if group else "")
        if told:
            yield Turn("system", tuple(told))

    def content(self, turn: Turn) -> bool:
        """Whether anything of the user's is left of a turn."""
        return turn.role == "user" and any(
            not isinstance(part, Result) or id(part) not in self.used for part in turn.parts
        )


def _as_text(result: Result) -> list[Text | File | Opaque]:
    name = f" of {result.name}" if result.name else ""
    content: list[Text | File | Opaque] = [part for part in result.content if not isinstance(part, Text) or part.text]
    return [Text(f"(result{name}, of a call that is not in the conversation)"), *(content or [MISSING])]
