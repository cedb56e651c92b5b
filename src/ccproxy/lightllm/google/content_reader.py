"""``contents`` and ``systemInstruction`` of a request (Gemini API reference, "Content", "Part").

A client may have kept an answer chunk by chunk, each as a content of its own (google-genai's chats do): neighbouring
contents of the model are one turn here, and pieces of text in a row are one text, so that it is found in ``Memory``.

Calls have an id only with newer models. Without one they are named and numbered, ``exec_1``, and a response is matched
to the first call of its name that waits for one. A response may also have an id where its call has none (Gemini CLI
numbers calls itself).
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.google.decode import compact
from ccproxy.lightllm.google.fields import Json, as_object, both, pick, place, record, records, string, wrong
from ccproxy.lightllm.google.media import guess, is_text, kind_of, sniff, standard
from ccproxy.lightllm.prompt import Call, File, Opaque, Part, Result, Role, Text, Thought, Turn

_ROLES: Final[dict[str, Role]] = {"user": "user", "function": "user", "model": "assistant", "system": "system"}
_BESIDE: Final = both(
    *("thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata", "mediaProcessing"),
    *("speechMetadata", "documentMetadata", "spreadsheetMetadata", "audioMetadata"),
)
"""Keys of a part that say something of its content."""
_DETAILS: Final = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}
_OWN_FILES: Final = "generativelanguage.googleapis.com"


@dataclass(slots=True)
class _Calls:
    """The calls so far: their names, how many of a name had no id, and which wait for their response."""

    names: dict[str, str] = field(default_factory=dict)
    made: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    waiting: defaultdict[str, OrderedDict[str, None]] = field(default_factory=lambda: defaultdict(OrderedDict))
    """By name."""
    without: defaultdict[str, OrderedDict[str, None]] = field(default_factory=lambda: defaultdict(OrderedDict))
    """Those of them that had no id."""

    def called(self, name: str, given: str | None) -> str:
        call_id = given or self._next(name)
        self.names[call_id] = name
        self.waiting[name][call_id] = None
        if given is None:
            self.without[name][call_id] = None
        return call_id

    def answered(self, name: str, given: str | None) -> str:
        candidates = self.waiting[name] if given is None else self.without[name]
        found = given if given in self.waiting[name] else next(iter(candidates), None)
        if found is None:
            return given or self._next(name)
        self.waiting[name].pop(found, None)
        self.without[name].pop(found, None)
        return found

    def _next(self, name: str) -> str:
        self.made[name] += 1
        return f"{name}_{self.made[name]}"


def read_system(value: object, at: str) -> Turn | None:
    """``systemInstruction``: a content, or its text."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return Turn("system", (Text(value, at=at),), at)
    content = as_object(value, at)
    parts = tuple(_system_parts(content if "text" not in content else {"parts": [content]}, at))
    return Turn("system", parts, at) if parts else None


def _system_parts(content: Json, at: str) -> Iterator[Text]:
    for part, here in records(content, "parts", at):
        text = string(part, "text", here)
        if text is None:
            raise BadRequest(f"{here}: a part of an instruction must be text")
        yield Text(text, at=here)


def read_contents(body: Json, at: str) -> tuple[Turn, ...]:
    """The turns of a body; ``at`` is where the body stands."""
    calls = _Calls()
    turns: list[Turn] = []
    said: list[Part] = []
    said_at = ""
    for content, here in records(body, "contents", at):
        role = _role(content, here)
        parts = _parts(content, role, here, calls)
        if role == "assistant":
            said_at = said_at if said else here
            said += parts
            continue
        if said:
            turns.append(Turn("assistant", tuple(_joined(said)), said_at))
            said = []
        turns.append(Turn(role, tuple(parts), here))
    if said:
        turns.append(Turn("assistant", tuple(_joined(said)), said_at))
    turns = [turn for turn in turns if turn.parts]
    if not turns:
        raise BadRequest(f"{place(at, 'contents')}: there is no content")
    return tuple(turns)


def _role(content: Json, at: str) -> Role:
    said = string(content, "role", at)
    if not said:
        calls = any(pick(part, "functionCall") is not None for part, _ in records(content, "parts", at))
        return "assistant" if calls else "user"
    if (role := _ROLES.get(said)) is None:
        raise wrong(place(at, "role"), 'one of "user", "model" and "function"', said)
    return role


def _parts(content: Json, role: Role, at: str, calls: _Calls) -> Iterator[Part]:
    for part, here in records(content, "parts", at):
        read = _part(part, role, here, calls)
        if read is not None:
            yield read


def _part(part: Json, role: Role, at: str, calls: _Calls) -> Part | None:
    text = string(part, "text", at)
    signature = string(part, "thoughtSignature", at) or None
    if text is not None:
        if part.get("thought") is True and role == "assistant":
            return Thought(text, signature, at=at)
        return Text(text, signature=signature, at=at)
    if (call := record(part, "functionCall", at)) is not None:
        return _call(call, signature, role, place(at, "functionCall"), calls)
    if (response := record(part, "functionResponse", at)) is not None:
        return _result(response, role, place(at, "functionResponse"), calls)
    kind = next((key for key in part if key not in _BESIDE and part[key] is not None), None)
    if kind is None:
        return Text("", signature=signature, at=at) if signature else None
    file = _file(part, at) if part.get("thought") is not True else None
    return file or Opaque(Dialect.GOOGLE, kind, part, at)


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    """With pieces of one text made one; what has no text is left out."""
    run: list[Text | Thought] = []
    for part in parts:
        if run and type(part) is not type(run[0]):
            yield from _one(run)
            run = []
        if isinstance(part, Text | Thought):
            run.append(part)
        else:
            yield part
    yield from _one(run)


def _one(run: Sequence[Text | Thought]) -> Iterator[Text | Thought]:
    if text := "".join(each.text for each in run):
        signature = next((each.signature for each in reversed(run) if each.signature), None)
        yield replace(run[0], text=text, signature=signature)


def _call(call: Json, signature: str | None, role: Role, at: str, calls: _Calls) -> Call:
    if role != "assistant":
        raise BadRequest(f"{at}: only the model calls functions")
    name = string(call, "name", at)
    if not name:
        raise BadRequest(f"{place(at, 'name')}: is missing")
    arguments = record(call, "args", at)
    call_id = calls.called(name, string(call, "id", at) or None)
    return Call(call_id, name, compact(arguments or {}), signature=signature, at=at)


def _result(response: Json, role: Role, at: str, calls: _Calls) -> Result:
    if role != "user":
        raise BadRequest(f"{at}: the model does not answer its own calls; the role must be user")
    given = string(response, "id", at) or None
    name = string(response, "name", at) or calls.names.get(given or "")
    if not name:
        raise BadRequest(f"{place(at, 'name')}: is missing")
    said = record(response, "response", at) or {}
    text, is_error = _said(said)
    content: list[Text | File | Opaque] = [Text(text, at=place(at, "response"))] if text else []
    for part, here in records(response, "parts", at):
        kind = next(iter(part), "")
        content.append(_file(part, here) or Opaque(Dialect.GOOGLE, kind, part, here))
    return Result(calls.answered(name, given), name, tuple(content), is_error, at=at)


def _said(response: Json) -> tuple[str, bool]:
    """The text of a function's response, and whether it is an error.

    ``output`` and ``error`` are the fields that the API knows; ``result`` is what google-genai calls a function's value
    (automatic function calling, 3.4.0). Where another field stands beside one of them the whole is the output.
    """
    error = response.get("error")
    is_error = bool(error) and "output" not in response
    value: object = response
    if len(response) == 1:
        value = response.get("output", response.get("result", error if is_error else response))
    if value is None or not response:
        return "", is_error
    return value if isinstance(value, str) else compact(value), is_error


def _file(part: Json, at: str) -> File | None:
    if (blob := record(part, "inlineData", at)) is not None:
        file = _inline(blob, place(at, "inlineData"))
    elif (link := record(part, "fileData", at)) is not None:
        file = _link(link, place(at, "fileData"))
    else:
        return None
    resolution = pick(part, "mediaResolution")
    level = resolution.get("level") if isinstance(resolution, dict) else resolution
    detail = _DETAILS.get(level) if isinstance(level, str) and file.kind == "image" else None
    return replace(file, detail=detail) if detail else file


def _inline(blob: Json, at: str) -> File:
    data = string(blob, "data", at)
    if not data:
        raise BadRequest(f"{place(at, 'data')}: is missing")
    data = standard(data)
    mime = string(blob, "mimeType", at) or sniff(data)
    if not mime:
        raise BadRequest(f"{place(at, 'mimeType')}: is missing")
    name = string(blob, "displayName", at)
    if is_text(mime):
        try:
            text = base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadRequest(f"{place(at, 'data')}: is no base64 of text in UTF-8") from error
        return File("document", mime, text=text, name=name, at=at)
    return File(kind_of(mime), mime, data=data, name=name, at=at)


def _link(link: Json, at: str) -> File:
    uri = string(link, "fileUri", at)
    if not uri:
        raise BadRequest(f"{place(at, 'fileUri')}: is missing")
    mime = string(link, "mimeType", at) or guess(uri)
    name = string(link, "displayName", at)
    kind = kind_of(mime) if mime else "document"
    if _is_public(uri):
        return File(kind, mime, url=uri, name=name, at=at)
    return File(kind, mime, file_id=uri, name=name, at=at)


def _is_public(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.hostname != _OWN_FILES
