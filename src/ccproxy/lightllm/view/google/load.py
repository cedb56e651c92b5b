"""Read ``contents`` of the Gemini API (Gemini API reference, "Content", "Part").

Calls have an id only with newer models. Without one a call is given an id that counts them (``CALL_ID``), and the
response is matched to the first call of its name that has none yet; neither id is written.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from pydantic_ai.messages import (
    AudioUrl,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequestPart,
    ModelResponsePart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)

from ccproxy.lightllm.view.carry import (
    READ_AT,
    Json,
    binary,
    carry,
    json_objects,
    request,
    response,
    rest,
    unknown_content,
    unknown_message,
    unknown_part,
)

CALL_ID = "ccproxy-call-"
"""Begins the ids that are not on the wire."""

_URLS: dict[str, type[ImageUrl | AudioUrl | VideoUrl | DocumentUrl]] = {
    "image": ImageUrl,
    "audio": AudioUrl,
    "video": VideoUrl,
}


class _Calls:
    """The calls so far: ids for those that have none, and which still wait for their response."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: defaultdict[str, deque[str]] = defaultdict(deque)

    def called(self, name: str) -> str:
        self._count += 1
        self._waiting[name].append(f"{CALL_ID}{self._count}")
        return self._waiting[name][-1]

    def answered(self, name: str) -> str:
        return self._waiting[name].popleft() if self._waiting[name] else f"{CALL_ID}{name}"


def load_messages(contents: Sequence[Json]) -> list[ModelMessage]:
    """One message for each, in order."""
    calls = _Calls()
    return [_content(content, calls) for content in contents]


def load_system_parts(parts: Sequence[Json]) -> list[SystemPromptPart]:
    """The parts of ``systemInstruction``."""
    return [_system_part(part) for part in parts]


def _content(content: Json, calls: _Calls) -> ModelMessage:
    role = content.get("role")
    parts = json_objects(content.get("parts"))
    if parts is None:
        return unknown_message(content, by_model=role == "model")
    if role == "model":
        return response([_response_part(part, calls) for part in parts], content, "role", "parts")
    return request(_request_parts(parts, calls), content, *(["role"] if role == "user" else []), "parts")


def _system_part(part: Json) -> SystemPromptPart:
    text = part.get("text")
    if not isinstance(text, str):
        return SystemPromptPart("", timestamp=READ_AT, metadata=carry(block=part))
    return SystemPromptPart(text, timestamp=READ_AT, metadata=carry(extra=rest(part, "text")))


def _request_parts(parts: Sequence[Json], calls: _Calls) -> list[ModelRequestPart]:
    out: list[ModelRequestPart] = []
    said: list[UserContent] = []
    for part in parts:
        result = _tool_return(part, calls)
        if result is None:
            said.append(user_content(part))
            continue
        if said:
            out.append(UserPromptPart(said, timestamp=READ_AT))
            said = []
        out.append(result)
    if said or not out:
        out.append(UserPromptPart(said, timestamp=READ_AT))
    return out


def _tool_return(part: Json, calls: _Calls) -> ToolReturnPart | None:
    match part:
        case {"functionResponse": {"name": str() as name, "response": dict() as result, **more}}:
            call_id = more.pop("id", None)
            left = rest(part, "functionResponse") | ({"functionResponse": more} if more else {})
            known = call_id if isinstance(call_id, str) else calls.answered(name)
            return ToolReturnPart(name, result, known, metadata=carry(extra=left), timestamp=READ_AT)
        case _:
            return None


def user_content(part: Json) -> UserContent:
    """One part of a user's content."""
    match part:
        case {"text": str() as text}:
            left = carry(extra=rest(part, "text"))
            return TextContent(text, metadata=left) if left else text
        case {"inlineData": {"mimeType": str() as media_type, "data": str() as data, **more}} if not more:
            content = binary(data, media_type, carry(extra=rest(part, "inlineData")))
            return content or unknown_content(part)
        case {"fileData": {"mimeType": str() as media_type, "fileUri": str() as url, **more}} if not more:
            kind = _URLS.get(media_type.partition("/")[0], DocumentUrl)
            left = carry(extra=rest(part, "fileData"))
            return kind(url, media_type=media_type, vendor_metadata=left)
        case _:
            return unknown_content(part)


def _response_part(part: Json, calls: _Calls) -> ModelResponsePart:
    match part:
        case {"text": str() as text, "thought": True}:
            signature = part.get("thoughtSignature")
            known = ["text", "thought", *(["thoughtSignature"] if isinstance(signature, str) else [])]
            return ThinkingPart(
                text,
                signature=signature if isinstance(signature, str) else None,
                provider_name="google",
                provider_details=carry(extra=rest(part, *known)),
            )
        case {"text": str() as text}:
            return TextPart(text, provider_details=carry(extra=rest(part, "text")))
        case {"functionCall": {"name": str() as name, **more}} if isinstance(
            arguments := more.get("args"), dict | None
        ):
            call_id = more.pop("id", None)
            more.pop("args", None)
            left = rest(part, "functionCall") | ({"functionCall": more} if more else {})
            known_id = call_id if isinstance(call_id, str) else calls.called(name)
            return ToolCallPart(name, arguments, known_id, provider_details=carry(extra=left))
        case _:
            return unknown_part(part)
