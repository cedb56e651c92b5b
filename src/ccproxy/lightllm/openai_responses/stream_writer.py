"""A streamed response, written (OpenAI API reference, "Responses", "Streaming events").

::

    created  in_progress  *( output_item.added  *part  output_item.done )  ( completed / incomplete / error failed )

``sequence_number`` counts the events from 0. Neighbouring texts are the parts of one message, which is done as soon as
something else comes. A block of which nothing is told is left out. What has been told is kept for the events that
repeat it, up to ``SIZE_LIMIT``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.answer import merged
from ccproxy.lightllm.ending import Usage
from ccproxy.lightllm.events import (
    Begin,
    BlockCitation,
    BlockDelta,
    BlockSignature,
    BlockStart,
    BlockStop,
    Counts,
    End,
    Event,
    Failed,
    Finish,
    Media,
    Ping,
)
from ccproxy.lightllm.finish import Reason
from ccproxy.lightllm.memory import FOREIGN
from ccproxy.lightllm.openai_responses import errors, output_items
from ccproxy.lightllm.openai_responses.blocks import (
    Block,
    CallBlock,
    Item,
    Numbered,
    TextBlock,
    ThoughtBlock,
    encoded,
    tell_picture,
)
from ccproxy.lightllm.openai_responses.outcome import Status, status_of
from ccproxy.lightllm.openai_responses.output_items import Called, ItemStatus
from ccproxy.lightllm.openai_responses.response_object import ResponseObject, begun, usage_of
from ccproxy.lightllm.openai_responses.tools import namespaces
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import Failure

SIZE_LIMIT: Final = 32 << 20
"""Most bytes of JSON that an answer's items may have."""
_PING: Final = ": ping\n\n"
"""A comment: the API has no event that means nothing."""
_ITEM_SIZE: Final = 300
"""About the bytes of an item, or of an annotation, without its text."""


class StreamWriter:
    """One response, as a client reads it."""

    __slots__ = (
        "_called",
        "_held",
        "_namespaces",
        "_open",
        "_out",
        "_output",
        "_over",
        "_place",
        "_plan",
        "_reason",
        "_refused",
        "_response",
        "_settings",
        "_signatures",
        "_size",
        "_usage",
        "_waiting",
    )

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._namespaces = namespaces(plan.asked)
        self._response: ResponseObject | None = None
        self._settings = ""
        """The JSON of the settings that a response repeats, without its brackets."""
        self._out = Numbered()
        self._place = 0
        """Of the next item."""
        self._waiting: dict[int, BlockStart] = {}
        """Blocks of which nothing was told yet."""
        self._open: dict[int, Block] = {}
        self._held: Item | None = None
        """The item that is done when the next thing comes: a message may go on, and the answer's limit cut it off."""
        self._output: dict[int, str] = {}
        """The items that are done, by their places."""
        self._signatures: dict[int, str] = {}
        self._size = 0
        self._usage: Usage | None = None
        self._reason: Reason | None = None
        self._called = False
        self._refused = False
        self._over = False

    def write(self, events: Sequence[Event]) -> bytes:
        """The bytes that tell of the events."""
        for event in events:
            if self._over:
                break
            if isinstance(event, BlockDelta):
                block = self._open.get(event.index) or self._first(event.index)
                if block is not None:
                    if self._held is not None:
                        self._release()
                    self._size += block.tell(event.text, self._out)
            elif isinstance(event, BlockStart | BlockCitation | BlockStop | Media):
                self._block(event)
            else:
                self._take(event)
            if self._size > SIZE_LIMIT and not self._over:
                raise UpstreamError(f"the answer is larger than {SIZE_LIMIT} bytes")
        return self._out.taken()

    def _take(self, event: Event) -> None:
        match event:
            case Begin():
                self._begin(event)
            case Counts(usage):
                self._usage = usage if self._usage is None else merged(self._usage, usage)
            case Finish(reason):
                self._reason = reason
            case End():
                self._end()
            case Failed(failure):
                self._fail(failure)
            case Ping():
                self._out.add(_PING)
            case BlockSignature(index, signature) if self._plan.signed:
                self._signatures[index] = signature
            case _:
                pass  # a signature of another provider

    def _block(self, event: BlockStart | BlockCitation | BlockStop | Media) -> None:
        match event:
            case BlockStart(index, "call"):
                self._open[index] = self._call(event)
            case BlockStart(index, kind):
                if self._held is not None and self._held.whole:
                    self._release()
                if kind != "redacted":
                    self._waiting[index] = event
            case BlockCitation(index, citation):
                if (block := self._open.get(index) or self._first(index)) is not None:
                    block.citations.append(citation)
                    self._size += len(citation.url or "") + len(citation.title or "") + _ITEM_SIZE
            case BlockStop(index):
                waiting = self._waiting.pop(index, None)
                signature = self._signatures.pop(index, None)
                if (block := self._open.pop(index, None)) is not None:
                    if isinstance(block, ThoughtBlock) and signature is not None:
                        block.signature = signature
                    self._stop(block)
                elif waiting is not None and waiting.kind == "thinking" and self._plan.signed:
                    self._untold(signature)
            case Media():
                self._picture(event)

    # ------------------------------------------------------------------ the response

    def _begin(self, event: Begin) -> ResponseObject:
        response = self._response = begun(self._plan, event.id, event.model, event.created_at)
        self._settings = encoded(response.settings)[1:-1]
        for kind in ("created", "in_progress"):
            self._out.send(f"response.{kind}", f'"response":{self._object(response, "in_progress")}')
        return response

    def _object(self, response: ResponseObject, status: Status, incomplete: str | None = None) -> str:
        state = encoded(response.state(status, incomplete=incomplete))[:-1]
        usage = "null" if status == "in_progress" else encoded(usage_of(self._usage))
        output = ",".join(self._output[place] for place in sorted(self._output))
        return f'{state},"output":[{output}],{self._settings},"usage":{usage}}}'

    def _end(self) -> None:
        for block in list(self._open.values()):
            self._stop(block)
        response = self._response or self._begin(Begin())
        reason = self._reason or ("tool" if self._called else "stop")
        status, incomplete = status_of(reason, refusal=self._refused)
        self._release("completed" if incomplete is None else "incomplete")
        self._out.send(f"response.{status}", f'"response":{self._object(response, status, incomplete)}')
        self._over = True

    def _fail(self, failure: Failure) -> None:
        response = self._response or self._begin(Begin())
        written = {**response.state("failed", failure=failure), "output": [], **response.settings, "usage": None}
        self._out.add(errors.failed(failure, written, self._out.number).decode("ascii"))
        self._over = True
        self._open.clear()
        self._output.clear()

    # ------------------------------------------------------------------ blocks and items

    def _first(self, index: int) -> Block | None:
        """The block of which the first word comes."""
        if (start := self._waiting.pop(index, None)) is None:
            return None
        block: Block
        if start.kind == "thinking":
            block = ThoughtBlock(self._item("rs"), self._out, None if self._plan.signed else FOREIGN)
        else:
            self._refused = self._refused or start.kind == "refusal"
            block = TextBlock(self._message(), self._out, refusal=start.kind == "refusal")
        self._open[index] = block
        return block

    def _untold(self, signature: str | None) -> None:
        """Thoughts of which there is no summary."""
        item = self._held = self._item("rs")
        item.begin(output_items.reasoning(item.id, [], None), self._out)
        item.whole = output_items.reasoning(item.id, [], signature)

    def _message(self) -> Item:
        """The message that is not done yet, or another one."""
        held = self._held
        if held is not None and not held.whole:
            self._held = None
            return held
        item = self._item("msg")
        item.begin(output_items.message(item.id, [], "in_progress"), self._out)
        return item

    def _call(self, start: BlockStart) -> Block:
        self._called = True
        called = Called(start.id or f"call_{self._plan.seed}_{start.index}", start.name or "", self._namespaces)
        return CallBlock(self._item("ctc" if start.custom else "fc"), called, self._out, custom=start.custom)

    def _picture(self, event: Media) -> None:
        picture = output_items.picture(self._name("ig"), event.mime, event.data)
        if picture is not None:
            item = self._held = self._item("ig")
            tell_picture(item, picture, self._out)
            self._release()
            self._size += len(event.data)

    def _stop(self, block: Block) -> None:
        self._release()
        block.stop(self._out)
        self._held = block.item

    def _name(self, prefix: str) -> str:
        return f"{prefix}_{self._plan.seed}_{self._place}"

    def _item(self, prefix: str) -> Item:
        """The next item; the one before it is done."""
        self._release()
        item = Item(self._place, self._name(prefix))
        self._place += 1
        return item

    def _release(self, status: ItemStatus = "completed") -> None:
        """The item that was held is done."""
        if (item := self._held) is None:
            return
        self._held = None
        written = encoded(item.done(status))
        self._output[item.place] = written
        self._size += _ITEM_SIZE
        self._out.send("response.output_item.done", f'"output_index":{item.place},"item":{written}')
