"""The blocks of a streamed response as a client reads them: what begins one, tells it and ends it, numbered.

>>> out = Numbered()
>>> block = ThoughtBlock(Item(0, "rs_1"), out, None)
>>> _ = block.tell("hm", out)
>>> block.stop(out)
>>> [line[7:] for line in out.taken().decode().splitlines() if line.startswith("event: ")]
['response.output_item.added', 'response.reasoning_summary_part.added', 'response.reasoning_summary_text.delta', \
'response.reasoning_summary_text.done', 'response.reasoning_summary_part.done']
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from json.encoder import encode_basestring_ascii as quote
from typing import Final

from ccproxy.lightllm.events import Citation
from ccproxy.lightllm.openai_responses import output_items
from ccproxy.lightllm.openai_responses.output_items import Called, Fields, ItemStatus

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


def encoded(value: Mapping[str, object]) -> str:
    """An object as JSON in ASCII."""
    return _ENCODER.encode(value)


class Numbered:
    """The events of one stream, numbered from 0."""

    __slots__ = ("_out", "number")

    def __init__(self) -> None:
        self._out: list[str] = []
        self.number = 0

    def send(self, kind: str, fields: str) -> None:
        """One event. ``fields``: the members of its object, but for the type and the number."""
        self._out.append(f'event: {kind}\ndata: {{"type":"{kind}",{fields},"sequence_number":{self.number}}}\n\n')
        self.number += 1

    def tell(self, head: str, quoted: str) -> None:
        """A delta event. ``head``: what stands before the quoted text."""
        self._out.append(f'{head}{quoted},"sequence_number":{self.number}}}\n\n')
        self.number += 1

    def add(self, text: str) -> None:
        """Whatever is no event, or has its number."""
        self._out.append(text)

    def taken(self) -> bytes:
        """What has been sent since the last time."""
        data = "".join(self._out).encode("ascii")
        self._out.clear()
        return data


@dataclass(slots=True)
class Item:
    """An item of the output."""

    place: int
    id: str
    parts: list[Fields] = field(default_factory=list)
    """Those of a message that are whole."""
    whole: Fields = field(default_factory=dict)
    """The item when it is done; of a message, which may go on, nothing."""

    @property
    def where(self) -> str:
        """What every event of it says."""
        return f'"item_id":{quote(self.id)},"output_index":{self.place}'

    def begin(self, item: Fields, out: Numbered) -> None:
        """Tell that there is an item."""
        out.send("response.output_item.added", f'"output_index":{self.place},"item":{encoded(item)}')

    def done(self, status: ItemStatus) -> Fields:
        """The item as it is in the end."""
        whole = self.whole or output_items.message(self.id, self.parts)
        return {**whole, "status": status} if "status" in whole else whole


class Block:
    """What is told of one block. To make one is to begin it."""

    __slots__ = ("_half", "_head", "_text", "citations", "item", "size")

    def __init__(self, item: Item, kind: str, where: str) -> None:
        self.item = item
        self._head = f'event: {kind}.delta\ndata: {{"type":"{kind}.delta",{where},"delta":'
        self._text = StringIO(newline="")
        self._half = ""
        """Of a character whose other half is to come."""
        self.size = 0
        """Characters so far."""
        self.citations: list[Citation] = []

    def tell(self, text: str, out: Numbered) -> int:
        """More of it. Returns its size in the event."""
        if self._half or not text.isascii():
            text = self._half + text
            self._half = ""
            if "\ud800" <= text[-1] <= "\udbff":
                text, self._half = text[:-1], text[-1]
            if not (text := output_items.mended(text)):
                return 0
        quoted = quote(text)
        self._text.write(text)
        self.size += len(text)
        out.tell(self._head, quoted)
        return len(quoted)

    def stop(self, out: Numbered) -> None:
        """It is whole."""
        if self._half:
            self._half = ""
            self.tell("\ufffd", out)


class TextBlock(Block):
    """A text or refusal, the next part of a message."""

    __slots__ = ("_refusal", "_where")

    def __init__(self, item: Item, out: Numbered, *, refusal: bool) -> None:
        self._refusal = refusal
        self._where = f'{item.where},"content_index":{len(item.parts)}'
        kind = "response.refusal" if refusal else "response.output_text"
        super().__init__(item, kind, self._where if refusal else f'{self._where},"logprobs":[]')
        part = output_items.refusal_part("") if refusal else output_items.text_part("", [])
        out.send("response.content_part.added", f'{self._where},"part":{encoded(part)}')

    def stop(self, out: Numbered) -> None:
        super().stop(out)
        where, text = self._where, self._text.getvalue()
        if self._refusal:
            part = output_items.refusal_part(text)
            out.send("response.refusal.done", f'{where},"refusal":{quote(text)}')
        else:
            annotations = output_items.annotations_of(self.citations, self.size)
            for number, each in enumerate(annotations):
                told = f'{where},"annotation_index":{number},"annotation":{encoded(each)}'
                out.send("response.output_text.annotation.added", told)
            part = output_items.text_part(text, annotations)
            out.send("response.output_text.done", f'{where},"text":{quote(text)},"logprobs":[]')
        out.send("response.content_part.done", f'{where},"part":{encoded(part)}')
        self.item.parts.append(part)


class ThoughtBlock(Block):
    """Thoughts, as the summary of a reasoning item."""

    __slots__ = ("_where", "signature")

    def __init__(self, item: Item, out: Numbered, signature: str | None) -> None:
        self._where = f'{item.where},"summary_index":0'
        self.signature = signature
        super().__init__(item, "response.reasoning_summary_text", self._where)
        item.begin(output_items.reasoning(item.id, [], signature), out)
        part = output_items.summary_part("")
        out.send("response.reasoning_summary_part.added", f'{self._where},"part":{encoded(part)}')

    def stop(self, out: Numbered) -> None:
        super().stop(out)
        text = self._text.getvalue()
        part = output_items.summary_part(text)
        out.send("response.reasoning_summary_text.done", f'{self._where},"text":{quote(text)}')
        out.send("response.reasoning_summary_part.done", f'{self._where},"part":{encoded(part)}')
        self.item.whole = output_items.reasoning(self.item.id, [part], self.signature)


class CallBlock(Block):
    """A call of a function or of a custom tool."""

    __slots__ = ("_called", "_custom")

    def __init__(self, item: Item, called: Called, out: Numbered, *, custom: bool) -> None:
        self._called = called
        self._custom = custom
        kind = "response.custom_tool_call_input" if custom else "response.function_call_arguments"
        super().__init__(item, kind, item.where)
        item.begin(self._written("", "in_progress"), out)

    def stop(self, out: Numbered) -> None:
        super().stop(out)
        if not self.size and not self._custom:  # clients parse it
            self.tell("{}", out)
        arguments = self._text.getvalue()
        if self._custom:
            out.send("response.custom_tool_call_input.done", f'{self.item.where},"input":{quote(arguments)}')
        else:
            out.send("response.function_call_arguments.done", f'{self.item.where},"arguments":{quote(arguments)}')
        self.item.whole = self._written(arguments, "completed")

    def _written(self, arguments: str, status: ItemStatus) -> Fields:
        write = output_items.custom_tool_call if self._custom else output_items.function_call
        return write(self.item.id, self._called, arguments, status)


def tell_picture(item: Item, picture: Fields, out: Numbered) -> None:
    """A picture, which comes whole."""
    item.whole = picture
    item.begin({"id": item.id, "type": "image_generation_call", "status": "in_progress", "result": None}, out)
    for state in ("in_progress", "generating", "completed"):
        out.send(f"response.image_generation_call.{state}", item.where)
