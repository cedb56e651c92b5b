"""Custom tools toward a provider that knows functions only."""

import json

from ccproxy.lightllm.custom import Unwrapping, as_functions
from ccproxy.lightllm.events import BlockDelta, BlockStart, BlockStop, Event
from ccproxy.lightllm.prompt import Call, CustomTool, Prompt, Result, Text, Tool, Turn

PATCH = '*** Begin Patch\n"quoted" ü\n*** End Patch'


def unwrap(*pieces: str) -> list[Event]:
    unwrapping, out = Unwrapping(), []
    start = BlockStart(3, "call", "c", "apply_patch", custom=True)
    out += unwrapping.take(start, wrapped=True)
    for piece in pieces:
        out += unwrapping.take(BlockDelta(3, piece), wrapped=False)
    return out + unwrapping.take(BlockStop(3), wrapped=False)


def test_the_tool_its_calls_and_their_results_become_a_functions() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    prompt = Prompt(
        "m",
        (
            Turn("assistant", (Call("c", "apply_patch", PATCH, custom=True),)),
            Turn("user", (Result("c", "apply_patch", (Text("ok"),), custom=True),)),
        ),
        tools=(CustomTool("apply_patch", "Edits files.", grammar), Tool("other")),
    )
    changed = as_functions(prompt)
    tool, other = changed.tools
    assert isinstance(tool, Tool) and other == Tool("other")
    assert tool.schema is not None and tool.schema["required"] == ["input"]
    assert tool.description is not None and "Edits files." in tool.description and "start: x" in tool.description
    call, result = changed.turns[0].parts[0], changed.turns[1].parts[0]
    assert isinstance(call, Call) and isinstance(result, Result)
    assert json.loads(call.arguments) == {"input": PATCH} and not call.custom and not result.custom


def test_the_text_comes_out_of_the_call_wherever_it_was_cut() -> None:
    wire = json.dumps({"input": PATCH})
    for cut in range(len(wire) + 1):
        start, delta, stop = unwrap(*[piece for piece in (wire[:cut], wire[cut:]) if piece])
        assert delta == BlockDelta(3, PATCH)
        assert (start, stop) == (BlockStart(3, "call", "c", "apply_patch", custom=True), BlockStop(3))


def test_arguments_of_another_shape_are_handed_on() -> None:
    for wire in ('{"input": "cut o', '{"patch": "x"}', "[1]", '{"input": 5}'):
        assert unwrap(wire)[1] == BlockDelta(3, wire)
    assert len(unwrap('{"input": ""}')) == 2


def test_other_calls_pass_as_they_come() -> None:
    unwrapping = Unwrapping()
    events = [BlockStart(0, "call", "c", "f"), BlockDelta(0, "{"), BlockStop(0)]
    assert [got for event in events for got in unwrapping.take(event, wrapped=False)] == events
