"""``contents`` and ``systemInstruction`` of a request (Gemini API reference, "Content", "Part"; "Function calling").

What the API wants of ``contents``: the first is the user's, user and model alternate, and after a content with calls
comes one with as many responses, whose order is that of the calls. A system turn among them is the user's text, in
``<system>``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from ccproxy.errors import BadRequest
from ccproxy.lightllm.flavour import Flavour
from ccproxy.lightllm.google.decode import parse
from ccproxy.lightllm.google.fields import place
from ccproxy.lightllm.google.media import USUAL, guess, sniff
from ccproxy.lightllm.google.models import generation, shows_files_in_results
from ccproxy.lightllm.plan import Warn
from ccproxy.lightllm.prompt import Call, File, Prompt, Result, Text, Thought, Turn

type Part = dict[str, object]

UNSIGNED: Final = "skip_thought_signature_validator"
"""In the place of a signature that there is none of, as for a call of another model (Gemini API, "Thought signatures",
FAQ). Gemini 3 refuses the first call of a step without any."""
_BLANK: Final = " "
"""The user's words where they said none; an empty text is refused."""
_EXACT: Final = 2**53
"""Numbers of a response are doubles (google.protobuf.Struct)."""


@dataclass(slots=True)
class _Content:
    role: str
    parts: list[Part] = field(default_factory=list)
    results: list[tuple[str, Part]] = field(default_factory=list)
    """Responses, each with its call's id; they stand before the other parts."""
    calls: dict[str, int] = field(default_factory=dict)
    """Places of the calls, by id."""


def write_contents(prompt: Prompt, flavour: Flavour, warn: Warn) -> tuple[list[Part], list[dict[str, object]]]:
    """The parts of ``systemInstruction``, and ``contents``. Raises BadRequest for arguments that are no object."""
    writer = _Writer(prompt.model, flavour, warn)
    leading = 0
    for turn in prompt.turns:
        if turn.role != "system" or not all(isinstance(part, Text) for part in turn.parts):
            break
        leading += 1
    said = [part.text for turn in prompt.turns[:leading] for part in turn.parts if isinstance(part, Text)]
    for turn in prompt.turns[leading:]:
        writer.turn(turn)
    return [{"text": text} for text in said if text], writer.written()


class _Writer:
    def __init__(self, model: str, flavour: Flavour, warn: Warn) -> None:
        # Vertex AI refused ids until September 2026; its older models are not known to take them.
        self._ids = not (flavour.name.startswith("vertex") and generation(model) < (3, 0))
        self._files_in_results = shows_files_in_results(model)
        self._contents: list[_Content] = []
        self._names: dict[str, str] = {}
        self._warn = warn

    def turn(self, turn: Turn) -> None:
        content = self._content("model" if turn.role == "assistant" else "user")
        if turn.role == "system":
            said = "\n\n".join(part.text for part in turn.parts if isinstance(part, Text) and part.text)
            if said:
                content.parts.append({"text": f"<system>\n{said}\n</system>"})
        for part in turn.parts:
            match part:
                case Text(text, signature=signature):
                    if turn.role != "system" and (text or signature):
                        content.parts.append(_signed({"text": text}, signature))
                case File():
                    content.parts.append(_file(part))
                case Thought(text, str(signature)):
                    thought: Part = {"text": ""} if part.redacted else {"text": text, "thought": True}
                    content.parts.append(_signed(thought, signature))
                case Call():
                    self._names[part.id] = part.name
                    content.calls.setdefault(part.id, len(content.calls))
                    content.parts.append(_signed({"functionCall": self._call(part)}, part.signature))
                case Result():
                    self._result(part, content)
                case _:  # opaque content, thoughts without signature: the table of losses lets neither come here
                    pass

    def written(self) -> list[dict[str, object]]:
        contents = [content for content in self._contents if content.parts or content.results]
        if not contents or contents[0].role == "model":
            contents.insert(0, _Content("user", [{"text": _BLANK}]))
            self._warn("messages: a blank text is said first, the user has to begin")
        _sign(contents)
        out: list[dict[str, object]] = []
        calls: dict[str, int] = {}
        for content in contents:
            order = calls
            results = sorted(content.results, key=lambda result: order.get(result[0], math.inf))
            out.append({"role": content.role, "parts": [*(part for _, part in results), *content.parts]})
            calls = content.calls
        return out

    def _content(self, role: str) -> _Content:
        """The content that is being written, a new one if the last is the other's."""
        while self._contents and not (self._contents[-1].parts or self._contents[-1].results):
            self._contents.pop()
        if not self._contents or self._contents[-1].role != role:
            self._contents.append(_Content(role))
        return self._contents[-1]

    def _call(self, call: Call) -> Part:
        try:
            arguments = parse(call.arguments) if call.arguments.strip() else {}
        except ValueError as error:
            raise BadRequest(f"{place(call.at, 'arguments')}: the arguments of {call.name} are no JSON") from error
        if not isinstance(arguments, dict):
            raise BadRequest(f"{place(call.at, 'arguments')}: the arguments of {call.name} are no JSON object")
        return self._identified({"name": call.name, "args": arguments}, call.id)

    def _result(self, result: Result, content: _Content) -> None:
        name = result.name or self._names.get(result.call_id)
        if name is None:
            name = "unknown"
            self._warn(f"{result.at or 'messages'}: {name} stands for the function's name, its call is not there")
        texts = [part.text for part in result.content if isinstance(part, Text)]
        response = self._identified({"name": name, "response": _response("\n".join(texts), result)}, result.call_id)
        within: list[Part] = []
        for part in result.content:
            if isinstance(part, File):
                written = _file(part)
                (within if self._files_in_results and "inlineData" in written else content.parts).append(written)
        if within:
            response["parts"] = within
        content.results.append((result.call_id, {"functionResponse": response}))

    def _identified(self, value: Part, call_id: str) -> Part:
        return {"id": call_id, **value} if self._ids else value


def _signed(part: Part, signature: str | None) -> Part:
    if signature is not None:
        part["thoughtSignature"] = signature
    return part


def _sign(contents: list[_Content]) -> None:
    """Mark the first call of each step where it has no signature.

    Only those since the user last spoke need one, but what has been sent must not change, or nothing of it is cached.
    """
    for content in contents:
        first = next((part for part in content.parts if "functionCall" in part), None)
        if first is not None:
            first.setdefault("thoughtSignature", UNSIGNED)


def _response(text: str, result: Result) -> Part:
    """``output``, ``error`` and a ``result`` alone have a meaning; an object without them is the output itself."""
    if result.is_error:
        return {"error": text}
    if text.lstrip()[:1] == "{":
        try:
            value = parse(text)
        except ValueError:
            value = None
        if isinstance(value, dict) and value and not value.keys() & {"output", "error"} and _exact(value):
            return value if value.keys() != {"result"} else {"output": text}
    return {"output": text}


def _exact(value: object) -> bool:
    """Whether all numbers survive as doubles."""
    match value:
        case dict():
            return all(map(_exact, value.values()))
        case list():
            return all(map(_exact, value))
        case bool():
            return True
        case int():
            return -_EXACT <= value <= _EXACT
        case float():
            return math.isfinite(value)
        case _:
            return True


def _file(file: File) -> Part:
    if file.text is not None:
        named = f'<document title="{file.name}">\n{file.text}\n</document>' if file.name else file.text
        return {"text": named or _BLANK}
    url = file.url or file.file_id or ""
    if file.data is None and not url.startswith("data:"):
        return {"fileData": {"mimeType": file.mime or guess(url) or USUAL[file.kind], "fileUri": url}}
    head, _, data = url.partition(",")
    if file.data is not None:
        data = file.data
    mime = file.mime or head.removeprefix("data:").partition(";")[0] or sniff(data) or USUAL[file.kind]
    return {"inlineData": {"mimeType": mime, "data": data}}
