"""The items of a response's ``output``, written (API reference, "The response object", ``output``).

>>> function_call("fc_1", Called("call_1", "mcp__git__log", {"mcp__git__log": ("mcp__git__", "log")}), "{}")
{'id': 'fc_1', 'type': 'function_call', 'status': 'completed', 'arguments': '{}', 'call_id': 'call_1', 'name': 'log', \
'namespace': 'mcp__git__'}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ccproxy.lightllm.events import Citation
from ccproxy.lightllm.memory import FOREIGN

type Fields = dict[str, object]
type ItemStatus = Literal["in_progress", "completed", "incomplete"]

PICTURES: Final = frozenset({"png", "webp", "jpeg", "gif", "svg"})
"""``output_format`` of a picture."""


def mended(text: str) -> str:
    """The text in whole characters: some servers cut them in halves, which strict parsers (Codex's) refuse."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def text_part(text: str, annotations: Sequence[Fields]) -> Fields:
    """A part of a message."""
    return {"type": "output_text", "annotations": annotations, "logprobs": [], "text": mended(text)}


def refusal_part(text: str) -> Fields:
    """A part of a message that says no."""
    return {"type": "refusal", "refusal": mended(text)}


def message(id: str, content: Sequence[Fields], status: ItemStatus = "completed") -> Fields:
    """A message of the assistant's."""
    return {"id": id, "type": "message", "status": status, "content": content, "role": "assistant"}


def summary_part(text: str) -> Fields:
    """A part of a reasoning item."""
    return {"type": "summary_text", "text": mended(text)}


def reasoning(id: str, summary: Sequence[Fields], signature: str | None = FOREIGN) -> Fields:
    """Thoughts, another provider's unless a signature is given: what then stands for it means nothing to anybody."""
    item: Fields = {"id": id, "type": "reasoning", "summary": summary}
    return item if signature is None else item | {"encrypted_content": signature}


@dataclass(frozen=True, slots=True)
class Called:
    """Who is called. ``namespaces`` are those of the request: see ``tools.namespaces``."""

    id: str
    name: str
    namespaces: Mapping[str, tuple[str, str]]


def function_call(id: str, called: Called, arguments: str, status: ItemStatus = "completed") -> Fields:
    """A call of a function."""
    item: Fields = {
        "id": id,
        "type": "function_call",
        "status": status,
        "arguments": mended(arguments),
        "call_id": called.id,
    }
    return item | _name(called)


def custom_tool_call(id: str, called: Called, text: str, status: ItemStatus = "completed") -> Fields:
    """A call of a tool whose argument is free text."""
    item: Fields = {"id": id, "type": "custom_tool_call", "status": status, "call_id": called.id, "input": mended(text)}
    return item | _name(called)


def _name(called: Called) -> Fields:
    if (found := called.namespaces.get(called.name)) is None:
        return {"name": called.name}
    namespace, name = found
    return {"name": name, "namespace": namespace}


def picture(id: str, mime: str, data: str) -> Fields | None:
    """A picture that the model made; None for a file that is none."""
    kind, _, form = mime.partition("/")
    form = {"jpg": "jpeg", "svg+xml": "svg"}.get(form, form)
    if kind != "image":
        return None
    item: Fields = {"id": id, "type": "image_generation_call", "status": "completed", "result": data}
    return item | ({"output_format": form} if form in PICTURES else {})


def annotations_of(citations: Iterable[Citation], length: int) -> list[Fields]:
    """The annotations of a text of that many characters. What has no address has no place here; a citation that does
    not say which characters it is for is for all."""
    return [
        {
            "type": "url_citation",
            "start_index": citation.start or 0,
            "end_index": length if citation.end is None else citation.end,
            "title": citation.title or citation.url,
            "url": citation.url,
        }
        for citation in citations
        if citation.url is not None
    ]
