"""The grammar of a Responses stream (OpenAI API reference, "Streaming events").

``sequence_number`` counts from 0. ``response.created`` and ``response.in_progress`` come first. An item is added under
the next ``output_index``, its parts are added, told in deltas and done, and then it is done itself, with all that its
deltas told. The last event has the whole response: its ``output`` is the items that were done, in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_DONE = {
    "response.output_text": ("text", "output_text"),
    "response.refusal": ("refusal", "refusal"),
    "response.reasoning_summary_text": ("text", "summary_text"),
    "response.reasoning_text": ("text", "reasoning_text"),
    "response.function_call_arguments": ("arguments", None),
    "response.custom_tool_call_input": ("input", None),
}
"""What is told in deltas → the key of the whole in its done event, and the type of the part that it belongs to."""
_ENDS = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}


@dataclass(slots=True)
class Item:
    item: dict[str, Any]
    parts: list[dict[str, Any]] = field(default_factory=list)
    is_open: bool = False
    """A part is."""
    pieces: list[str] = field(default_factory=list)
    whole: dict[str, str] = field(default_factory=dict)
    """Of a call: its arguments as they were said to be done."""


@dataclass(slots=True)
class Order:
    """How far a stream has come."""

    number: int = 0
    id: str = ""
    items: list[Item] = field(default_factory=list)
    done: dict[int, dict[str, Any]] = field(default_factory=dict)
    complete: bool = False
    failed: bool = False

    def take(self, name: str, event: dict[str, Any]) -> Iterator[str]:
        """What is wrong with the next event."""
        if event["sequence_number"] != self.number:
            yield f"sequence_number {event['sequence_number']} where {self.number} is due"
        self.number = event["sequence_number"] + 1
        if self.complete or (self.failed and name != "response.failed"):  # some clients look for it, some for the error
            yield f"{name} after the end"
        early = {1: "response.created", 2: "response.in_progress"}.get(self.number)
        if (early is not None and name not in (early, "error")) or (early is None and name == "response.created"):
            yield f"{name} as event {self.number - 1}"
        if name == "error":
            self.failed = True
            if not event["message"] or not isinstance(event["error"]["message"], str):
                yield f"error: {event}"
        elif name in _ENDS:
            yield from self.end(name, event["response"])
        elif early is not None:
            yield from self.begin(event["response"])
        elif name == "response.output_item.added":
            yield from self.added(event)
        elif name == "response.output_item.done":
            yield from self.item_done(event)
        else:
            yield from self.inside(name, event)

    def begin(self, response: dict[str, Any]) -> Iterator[str]:
        if self.id and response["id"] != self.id:
            yield f"the response's id changes: {self.id} {response['id']}"
        self.id = response["id"]
        if response["status"] != "in_progress" or response["output"] or response["object"] != "response":
            yield f"a response that begins: {response}"

    def added(self, event: dict[str, Any]) -> Iterator[str]:
        item = event["item"]
        if event["output_index"] != len(self.items) or not item["id"]:
            yield f"output_index {event['output_index']} where {len(self.items)} is due: {item}"
        if item["id"] in [each.item["id"] for each in self.items]:
            yield f"the id {item['id']} twice"
        if any(item.get(key) for key in ("content", "summary", "arguments", "input")):
            yield f"an item that is added with content: {item}"
        if item["type"] != "reasoning" and item["status"] != "in_progress":
            yield f"an item that is added: {item}"
        self.items.append(Item(item))

    def inside(self, name: str, event: dict[str, Any]) -> Iterator[str]:
        item = self.items[event["output_index"]]
        if event["output_index"] in self.done or event["item_id"] != item.item["id"]:
            yield f"{name} of {event['item_id']}, which is done or another one"
        stem, _, last = name.rpartition(".")
        if name in ("response.content_part.added", "response.reasoning_summary_part.added"):
            if item.is_open or _index(event) != len(item.parts):
                yield f"{name}: part {_index(event)} where {len(item.parts)} is due, open: {item.is_open}"
            if any(event["part"].get(key) for key in ("text", "refusal", "annotations")):
                yield f"a part that is added with content: {event['part']}"
            item.parts.append(event["part"])
            item.pieces, item.is_open = [], True
        elif name in ("response.content_part.done", "response.reasoning_summary_part.done"):
            if not item.is_open or _index(event) != len(item.parts) - 1:
                yield f"{name} of part {_index(event)}"
            if event["part"].get("text", event["part"].get("refusal")) != "".join(item.pieces):
                yield f"a part is not what its deltas told: {event['part']} {item.pieces}"
            item.parts[-1], item.is_open = event["part"], False
        elif name == "response.output_text.annotation.added":
            if not item.is_open or not event["annotation"]["type"]:
                yield f"annotation: {event}"
        elif stem == "response.image_generation_call" and item.item["type"] == "image_generation_call":
            pass  # how far a picture is
        elif stem in _DONE and last in ("delta", "done"):
            yield from self.told(stem, last, event, item)
        else:
            yield f"event {name}"

    def told(self, stem: str, last: str, event: dict[str, Any], item: Item) -> Iterator[str]:
        key, part = _DONE[stem]
        if part is not None and (
            not item.is_open or item.parts[-1]["type"] != part or _index(event) + 1 != len(item.parts)
        ):
            yield f"{stem}.{last} outside its part"
        if last == "delta":
            if not event["delta"] or key in item.whole:
                yield f"an empty delta, or one after done: {event}"
            item.pieces.append(event["delta"])
            return
        if event[key] != "".join(item.pieces):
            yield f"{stem}.done is not what the deltas told: {event[key]!r} {item.pieces}"
        if part is None:
            item.whole[key] = event[key]

    def item_done(self, event: dict[str, Any]) -> Iterator[str]:
        index, item = event["output_index"], event["item"]
        known = self.items[index]
        if index in self.done or known.is_open:
            yield f"item {index} is done twice, or has an open part"
        for key in ("id", "type", "call_id", "name", "role"):
            if item.get(key) != known.item.get(key):
                yield f"the item's {key} changes: {known.item} {item}"
        said = item.get("content") if item["type"] == "message" else item.get("summary") or item.get("content") or []
        if item["type"] in ("message", "reasoning") and [_bare(each) for each in said] != [
            _bare(each) for each in known.parts
        ]:
            yield f"the item is not its parts: {said} {known.parts}"
        for key in ("arguments", "input"):
            if key in item and item[key] != known.whole.get(key):
                yield f"the item's {key} were not done so: {item} {known.whole}"
        if item["type"] != "reasoning" and item["status"] not in ("completed", "incomplete"):
            yield f"an item that is done: {item}"
        self.done[index] = item

    def end(self, name: str, response: dict[str, Any]) -> Iterator[str]:
        self.failed = name == "response.failed"
        self.complete = not self.failed
        if response["id"] != self.id or response["status"] != _ENDS[name]:
            yield f"{name}: {response['id']} {response['status']}"
        if self.failed:
            return
        if response["output"] != [self.done[index] for index in sorted(self.done)] or len(self.done) != len(self.items):
            yield f"the output is not the items that were done: {response['output']} {self.done}"
        if (name == "response.incomplete") != bool(response.get("incomplete_details")):
            yield f"{name}: {response.get('incomplete_details')}"


def _index(event: dict[str, Any]) -> int:
    found = event.get("content_index", event.get("summary_index"))
    assert isinstance(found, int), event
    return found


def _bare(part: dict[str, Any]) -> object:
    return {key: value for key, value in part.items() if key != "logprobs"}
