"""Any conversation becomes one that the Messages API takes, and nothing that was said is lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.lightllm.anthropic.turns import MISSING, OPENING, arrange
from ccproxy.lightllm.prompt import Call, File, Result, Role, Text, Thought, Turn

PICTURE = File("image", "image/png", "eA==")


def u(*parts: str | Text | File | Result) -> Turn:
    return Turn("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def a(*parts: str | Text | File | Call | Thought) -> Turn:
    return Turn("assistant", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def s(text: str) -> Turn:
    return Turn("system", (Text(text),))


def call(call_id: str) -> Call:
    return Call(call_id, "f", "{}")


def result(call_id: str, *content: str) -> Result:
    return Result(call_id, "f", tuple(map(Text, content or ("r",))))


MISSED = Result("c", "f", (MISSING,), is_error=True)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([u("a"), u("b"), a("c"), a("d")], [u("a", "b"), a("c", "d")]),
        ([a("a"), u("b")], [u(OPENING), a("a"), u("b")]),
        ([s("only")], [u(OPENING)]),
        ([u("a"), a(" \n"), u(""), u("b")], [u("a", "b")]),
        ([u("a"), a(Thought("t"), Thought("t", "sig"), "b")], [u("a"), a(Thought("t", "sig"), "b")]),
        # results: first in their message, directly behind their calls, in the order of these
        (
            [u("a"), a("x", call("c"), call("d")), u("b", result("d"), result("c"))],
            [u("a"), a("x", call("c"), call("d")), u(result("c"), result("d"), "b")],
        ),
        (
            [u("a"), a(call("c")), a("y"), u("b"), a("z"), u(result("c"), "d")],
            [u("a"), a(call("c"), "y"), u(result("c"), "b"), a("z"), u("d")],
        ),
        (
            [u("a"), a(call("c")), u("b"), a("y"), u(result("c")), a("z")],
            [u("a"), a(call("c")), u(result("c"), "b"), a("y", "z")],
        ),
        # orphans, and ids that come again
        ([u("a"), a(call("c"))], [u("a"), a(call("c")), u(MISSED)]),
        ([u("a"), a(call("c")), u("b")], [u("a"), a(call("c")), u(MISSED, "b")]),
        (
            [u("a", result("c")), a(call("c"))],
            [u("a", "(result of f, of a call that is not in the conversation)", "r"), a(call("c")), u(MISSED)],
        ),
        (
            [u("a"), a(call("c")), u(result("c", "1")), a(call("c")), u(result("c", "2"), result("c", "3"))],
            [
                u("a"),
                a(call("c")),
                u(result("c", "1")),
                a(call("c_2")),
                u(result("c_2", "2"), "(result of f, of a call that is not in the conversation)", "3"),
            ],
        ),
        # system turns: behind the user, before the assistant
        ([u("a"), s("x"), s("y"), a("b")], [u("a"), Turn("system", (Text("x"), Text("y"))), a("b")]),
        ([u("a"), s("x"), u("b"), a("c")], [u("a", "b"), s("x"), a("c")]),
        ([u("a"), a("b"), s("x"), u("c")], [u("a"), a("b"), u("c"), s("x")]),
        ([u("a"), a(call("c")), s("x"), u(result("c"))], [u("a"), a(call("c")), u(result("c")), s("x")]),
        ([u("a"), a("b"), s("x")], [u("a"), a("b"), u("<system>\nx\n</system>")]),
        ([u("a"), a("b"), s("x"), a("c")], [u("a"), a("b"), u("<system>\nx\n</system>"), a("c")]),
        # pictures of the assistant's
        ([u("a"), a("b", PICTURE), u("c")], [u("a"), a("b"), u(PICTURE, "c")]),
        ([u("a"), a(PICTURE), u("c")], [u("a", PICTURE, "c")]),
    ],
)
def test_order(given: list[Turn], wanted: list[Turn]) -> None:
    assert list(arrange(given, system_turns=True).turns) == wanted


def test_system_turns_are_in_words_where_there_are_none() -> None:
    found = arrange([s("0"), u("a"), s("x"), a("b"), s("y"), u("c")], system_turns=False)
    assert found.system == (Text("0"),)
    assert list(found.turns) == [u("a", "<system>\nx\n</system>"), a("b"), u("<system>\ny\n</system>", "c")]


@pytest.mark.parametrize(
    ("given", "unthought"),
    [
        ([u("a"), a(call("c")), u(result("c"))], True),
        ([u("a"), a("x", call("c")), u(result("c")), s("y")], True),
        ([u("a"), a(Thought("t", "sig"), call("c")), u(result("c"))], False),
        ([u("a"), a("b"), u("c")], False),
        ([u("a")], False),
    ],
)
def test_whether_the_turn_under_way_has_begun_without_thoughts(given: list[Turn], unthought: bool) -> None:
    assert arrange(given, system_turns=True).unthought is unthought


texts = st.sampled_from(["", " ", "a", "b"]).map(Text)
ids = st.sampled_from("cde")


def said_by(role: Role, *parts: st.SearchStrategy[Text | Result | Call]) -> st.SearchStrategy[Turn]:
    return st.lists(st.one_of(*parts), max_size=4).map(lambda some: Turn(role, tuple(some)))


turns = said_by("user", texts, ids.map(result)) | said_by("assistant", texts, ids.map(call)) | said_by("system", texts)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(turns, max_size=8), st.booleans())
def test_the_api_takes_any_conversation(talk: list[Turn], system_turns: bool) -> None:
    found = arrange(talk, system_turns=system_turns)
    roles = [turn.role for turn in found.turns]
    assert roles[0] == "user" and all(turn.parts for turn in found.turns)
    for place, role in enumerate(roles):
        before = roles[place - 1] if place else None
        after = roles[place + 1] if place + 1 < len(roles) else None
        assert role != before and (role != "system" or (system_turns and before == "user" and after != "user"))
    used = [part.id for turn in found.turns for part in turn.parts if isinstance(part, Call)]
    assert len(used) == len(set(used))
    waiting: list[str] = []
    for turn in found.turns:
        answers = [part.call_id for part in turn.parts if isinstance(part, Result)]
        assert answers == waiting
        assert all(isinstance(part, Result) for part in turn.parts[: len(answers)])
        waiting = [part.id for part in turn.parts if isinstance(part, Call)]
    assert waiting == []
    said = Counter(part.text for turn in talk for part in turn.parts if isinstance(part, Text) and part.text.strip())
    told = Counter(
        part.text.removeprefix("<system>\n").removesuffix("\n</system>")
        for turn in (Turn("system", found.system), *found.turns)
        for part in turn.parts
        if isinstance(part, Text)
    )
    assert said <= told
    given_back = sum(isinstance(part, Result) for turn in talk for part in turn.parts)
    shown = [part for turn in found.turns for part in turn.parts if isinstance(part, Result)]
    as_text = sum(text.startswith("(result") for text in told.elements())
    assert sum(MISSING not in each.content for each in shown) + as_text == given_back
