"""Turns, written as ``messages``.

Between two assistant messages stand first the results of the first one's calls, a tool message each, because nothing
else may follow calls; then pictures and files of results, which tool messages cannot hold, in one user message; then
what was said by system and user, in order. Neighbouring assistant turns are one message if the first has calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.openai_chat.content import joined, text_of, write_content
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Call, File, Part, Result, Text, Thought, Turn

type Message = dict[str, object]

_ELSEWHERE: Final = "The result is in the user message that follows."


def system_role(flavour: Flavour) -> str:
    """The role of what the operator says."""
    return "developer" if flavour.developer else "system"


def write_messages(turns: Iterable[Turn], flavour: Flavour, warn: Warn, *, thinker: bool) -> list[Message]:
    """The messages of a conversation. ``thinker``: the model wants thoughts back with each call, if only empty ones.

    Others get them from the first thought on: what has been sent must not change, or nobody can cache it.
    """
    written: list[Message] = []
    thinks = flavour.thoughts_back and thinker
    told = False
    for spoken, heard in _steps(turns):
        if spoken is not None:
            thought = next((part for part in spoken if isinstance(part, Thought) and part.text), None)
            if thought is not None and not flavour.thoughts_back and not told:
                told = True
                warn(f"{thought.at or 'messages'}: left out, the provider takes no thoughts back")
            thinks = thinks or (flavour.thoughts_back and thought is not None)
            written.append(_assistant(spoken, thinks=thinks))
        written += _between(heard, [part for part in spoken or () if isinstance(part, File)], flavour)
    return written


def _steps(turns: Iterable[Turn]) -> Iterator[tuple[list[Part] | None, list[Turn]]]:
    """What the assistant said (None: nothing yet) and the turns up to when it spoke again."""
    spoken: list[Part] | None = None
    heard: list[Turn] = []
    for turn in turns:
        if turn.role != "assistant":
            heard.append(turn)
        elif spoken is not None and not heard and any(isinstance(part, Call) for part in spoken):
            spoken += turn.parts
        else:
            if spoken is not None or heard:
                yield spoken, heard
            spoken, heard = list(turn.parts), []
    if spoken is not None or heard:
        yield spoken, heard


def _between(turns: list[Turn], files: list[File], flavour: Flavour) -> Iterator[Message]:
    attached: list[Text | File] = list(files)
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Result):
                yield _tool(part)
                attached += _files(part)
    if attached:
        yield {"role": "user", "content": write_content(attached)}
    for turn in turns:
        parts = [part for part in turn.parts if isinstance(part, Text | File)]
        if turn.role == "system":
            yield {"role": system_role(flavour), "content": joined(parts)}
            if not (parts := [part for part in parts if text_of(part) is None]):
                continue
        if parts or not turn.parts:
            yield {"role": "user", "content": write_content(parts)}


def _tool(result: Result) -> Message:
    content = joined(part for part in result.content if isinstance(part, Text | File))
    return {
        "role": "tool",
        "tool_call_id": result.call_id,
        "content": content or (_ELSEWHERE if _files(result) else ""),
    }


def _files(result: Result) -> list[Text | File]:
    """The files of a result, with a line that says whose they are."""
    files = [part for part in result.content if isinstance(part, File) and text_of(part) is None]
    whose = f"{result.name} ({result.call_id})" if result.name else result.call_id
    return [Text(f"From the result of {whose}:"), *files] if files else []


def _assistant(parts: Iterable[Part], *, thinks: bool) -> Message:
    """Texts are joined as they are: the provider cut them, for citations or for its own tools' sake."""
    texts: list[str] = []
    refusals: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, object]] = []
    for part in parts:
        match part:
            case Text():
                (refusals if part.refusal else texts).append(part.text)
            case Thought() if part.text:
                thoughts.append(part.text)
            case Call():
                calls.append(_call(part))
            case _:
                pass
    silent = None if calls or refusals else ""
    message: Message = {"role": "assistant", "content": "".join(texts) if texts else silent}
    if refusals:
        message["refusal"] = "".join(refusals)
    if thinks and (thoughts or calls):
        message["reasoning_content"] = "\n\n".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return message


def _call(call: Call) -> dict[str, object]:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
