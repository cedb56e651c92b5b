"""A whole response, in both directions (OpenAI API reference, "Responses", "The response object").

The tables of statuses and reasons are in ``outcome``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ccproxy.lightllm.answer import Answer, Block
from ccproxy.lightllm.events import Event, Media
from ccproxy.lightllm.memory import FOREIGN
from ccproxy.lightllm.openai_responses import output_items
from ccproxy.lightllm.openai_responses.outcome import status_of
from ccproxy.lightllm.openai_responses.output_items import Called, Fields
from ccproxy.lightllm.openai_responses.response_object import begun
from ccproxy.lightllm.openai_responses.stream_reader import StreamReader
from ccproxy.lightllm.openai_responses.tools import namespaces
from ccproxy.lightllm.plan import Plan


def read(body: Mapping[str, object]) -> list[Event]:
    """A whole answer. One that the provider has not finished is a failure."""
    return StreamReader().whole(dict(body))


def write(answer: Answer, plan: Plan) -> dict[str, object]:
    """The whole answer as the client reads it."""
    output = list(_items(answer, plan))
    refusal = any(isinstance(block, Block) and block.kind == "refusal" and block.text for block in answer.blocks)
    called = any(isinstance(block, Block) and block.kind == "call" for block in answer.blocks)
    status, incomplete = status_of(answer.reason or ("tool" if called else "stop"), refusal=refusal)
    if incomplete is not None and output and output[-1]["type"] in ("message", "function_call", "custom_tool_call"):
        output[-1]["status"] = "incomplete"
    response = begun(plan, answer.id, answer.model, answer.created_at)
    return response.written(status, output, incomplete=incomplete, usage=answer.usage)


def _items(answer: Answer, plan: Plan) -> Iterator[Fields]:
    """The items; neighbouring texts are the parts of one message."""
    known, place = namespaces(plan.asked), 0
    content: list[Fields] = []
    for block in answer.blocks:
        item: Fields | None = None
        match block:
            case Media(_, mime, data):
                item = output_items.picture(f"ig_{plan.seed}_{place + bool(content)}", mime, data)
            case Block(kind="text") if block.text:
                annotations = output_items.annotations_of(block.citations, len(block.text))
                content.append(output_items.text_part(block.text, annotations))
            case Block(kind="refusal") if block.text:
                content.append(output_items.refusal_part(block.text))
            case Block(kind="thinking") if block.text or plan.signed:
                summary = [output_items.summary_part(block.text)] if block.text else []
                signature = block.signature if plan.signed else FOREIGN
                item = output_items.reasoning(f"rs_{plan.seed}_{place + bool(content)}", summary, signature)
            case Block(kind="call"):
                item = _call(block, Called(block.id or "", block.name or "", known), plan, place + bool(content))
            case _:
                pass
        if item is None:
            continue
        if content:
            yield output_items.message(f"msg_{plan.seed}_{place}", content)
            content, place = [], place + 1
        yield item
        place += 1
    if content:
        yield output_items.message(f"msg_{plan.seed}_{place}", content)


def _call(block: Block, called: Called, plan: Plan, place: int) -> Fields:
    if block.custom:
        return output_items.custom_tool_call(f"ctc_{plan.seed}_{place}", called, block.text)
    return output_items.function_call(f"fc_{plan.seed}_{place}", called, block.text or "{}")
