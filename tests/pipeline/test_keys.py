from __future__ import annotations

import pytest

from ccproxy.pipeline.keys import GIVEN, MADE, covers, overlap, parse
from tests.pipeline.ask import ask


@pytest.mark.parametrize("text", ["header", "header:x-api-key", "body", "body.a.*.b", "ctx.session_id"])
def test_a_key_reads_back(text: str) -> None:
    assert str(parse(text)) == text


def test_header_names_have_no_case() -> None:
    assert parse("header:X-Api-Key") == parse("header:x-api-key")
    assert parse("ctx.body") == parse("body")


@pytest.mark.parametrize(
    "text", ["", "header:", "body.", "body..a", "ctx", "ctx.", "ctx.a.b", "x-api-key", "bodyx", "Header:a"]
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no (key|attribute)"):
        parse(text)


def test_a_misspelt_attribute_gets_a_hint() -> None:
    with pytest.raises(ValueError, match=r"did you mean ctx\.session_id"):
        parse("ctx.sesion_id")


def test_every_attribute_that_a_key_can_name_exists() -> None:
    ctx = ask()
    for name in {*GIVEN, *MADE} - {"messages", "system", "tools"}:  # these load the typed view
        getattr(ctx, name)
    assert {"messages", "system", "tools"} <= set(dir(type(ctx)))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("header:a", "header:a", True),
        ("header:a", "header:b", False),
        ("header", "header:b", True),
        ("header:a", "body.a", False),
        ("body.metadata", "body.metadata.user_id", True),
        ("body.metadata", "body.meta", False),
        ("body.tools.*.name", "body.tools.0", True),
        ("body.tools.*.name", "body.tools.0.input", False),
        ("body", "body.x", True),
        ("ctx.messages", "body.input", True),
        ("ctx.messages", "ctx.tools", False),
        ("ctx.path", "body", False),
        ("ctx.session_id", "ctx.session_id", True),
    ],
)
def test_overlap(one: str, other: str, expected: bool) -> None:
    assert overlap(parse(one), parse(other)) is expected
    assert overlap(parse(other), parse(one)) is expected


@pytest.mark.parametrize(
    ("declared", "touched", "expected"),
    [
        ("body.metadata", "body.metadata.user_id", True),
        ("body.metadata.user_id", "body.metadata", False),
        ("body.tools.*.name", "body.tools.3.name", True),
        ("body", "ctx.messages", True),
        ("body.messages", "ctx.messages", False),
        ("header", "header:a", True),
        ("header:a", "header", False),
        ("ctx.path", "ctx.path", True),
    ],
)
def test_covers(declared: str, touched: str, expected: bool) -> None:
    assert covers(parse(declared), parse(touched)) is expected
