from __future__ import annotations

from collections.abc import Sequence

import pytest

from ccproxy.pipeline.hook import Hook
from ccproxy.pipeline.keys import parse
from ccproxy.pipeline.plan import Step, check_reads, plan


def made(name: str, reads: Sequence[str] = (), writes: Sequence[str] = ()) -> Step:
    def run(ctx: object, params: object) -> None: ...

    return Step(Hook(name, run, __name__, tuple(map(parse, reads)), tuple(map(parse, writes))))


def groups(*steps: Step) -> list[str]:
    return [" ".join(step.name for step in group) for group in plan("inbound", steps).groups]


def test_hooks_that_share_nothing_are_one_group_in_list_order() -> None:
    assert groups(made("c", writes=["header:a"]), made("a", writes=["body.a"]), made("b", reads=["body.b"])) == [
        "c a b"
    ]


def test_two_that_only_read_are_unordered() -> None:
    assert groups(made("a", reads=["body"]), made("b", reads=["body.x"])) == ["a b"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (made("first", writes=["body.a"]), made("second", reads=["body.a"])),
        (made("first", reads=["body.a"]), made("second", writes=["body.a"])),
        (made("first", writes=["body.a"]), made("second", writes=["body.a.b"])),
        (made("first", writes=["header"]), made("second", reads=["header:x"])),
        (made("first", writes=["ctx.messages"]), made("second", reads=["body.contents"])),
        # Two ordinary read-modify-write hooks: no cycle.
        (made("first", ["header:b"], ["header:b"]), made("second", ["header:b"], ["header:b"])),
    ],
)
def test_a_common_key_that_one_writes_keeps_the_list_order(first: Step, second: Step) -> None:
    assert groups(first, second) == ["first", "second"]
    assert groups(second, first) == ["second", "first"]


def test_groups_and_edges() -> None:
    made_plan = plan(
        "outbound",
        [
            made("a", writes=["body.x"]),
            made("free"),
            made("b", reads=["body.x"], writes=["body.y"]),
            made("c", reads=["body.x"]),
            made("d", reads=["body.y"]),
        ],
    )
    assert [[step.name for step in group] for group in made_plan.groups] == [["a", "free"], ["b", "c"], ["d"]]
    assert [step.name for step in made_plan.steps] == ["a", "free", "b", "c", "d"]
    assert made_plan.edges == (("a", "b"), ("a", "c"), ("b", "d"))


def test_reading_what_only_a_later_hook_makes_is_an_error_that_names_both() -> None:
    reader, writer = made("reader", reads=["ctx.session_id"]), made("writer", writes=["ctx.session_id"])
    (problem,) = check_reads([reader, writer], [])
    assert problem.key == "hooks.inbound"
    assert "'reader' reads ctx.session_id" in problem.message
    assert "'writer'" in problem.message
    (across,) = check_reads([reader], [writer])
    assert "'writer' (outbound)" in across.message
    assert len(check_reads([reader, made("other", reads=["ctx.session_id"]), writer], [])) == 2
    assert len(check_reads([made("reader", reads=["header:x-ccproxy-note"])], [made("w", writes=["header"])])) == 1


def test_reading_what_is_there_is_no_error() -> None:
    reader, writer = made("reader", reads=["ctx.session_id"]), made("writer", writes=["ctx.session_id"])
    assert check_reads([writer, reader], [writer]) == []
    assert check_reads([writer], [reader]) == []
    assert check_reads([reader], []) == []
    both = made("both", reads=["ctx.session_id"], writes=["ctx.session_id"])
    assert check_reads([both, writer], []) == []
    # What a client may have sent can be read before somebody changes it.
    assert check_reads([made("r", reads=["body.model", "header:x"])], [made("w", writes=["body", "header"])]) == []
    assert check_reads([made("r", reads=["ctx.path"])], [made("w", writes=["ctx.path"])]) == []
