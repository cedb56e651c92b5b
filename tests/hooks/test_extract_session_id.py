from __future__ import annotations

import json

import pytest

from ccproxy.hooks.extract_session_id import extract_session_id
from tests.hooks.declared import run_declared
from tests.pipeline.ask import ask


def body(user_id: object) -> dict[str, object]:
    return {"model": "m", "metadata": {"user_id": user_id}}


@pytest.mark.parametrize("header", ["X-Claude-Code-Session-Id", "session-id", "session_id"])
def test_a_header_says_it_without_parsing(header: str) -> None:
    done = run_declared(extract_session_id, ask(b'{"user_id" broken', (header, "abc-1")))
    assert done.session_id == "abc-1"


@pytest.mark.parametrize(
    ("user_id", "expected"),
    [
        (json.dumps({"device_id": "d", "session_id": "abc-1"}), "abc-1"),
        ("user_0f_account_1e_session_abc-1", "abc-1"),
        ("user_0f_account__session_abc-1", "abc-1"),
        ("user_0f", None),
        (json.dumps({"session_id": 5}), None),
        (json.dumps({"session_id": ""}), None),
        ('{"session_id": ', None),
        ("{" * 100_000, None),
        ("[]", None),
        (7, None),
        (None, None),
        ("a_session_\x1b[31m", None),
        ("a_session_" + "x" * 201, None),
    ],
)
def test_the_body_says_it(user_id: object, expected: str | None) -> None:
    ctx = ask(body(user_id))
    before = ctx.body
    done = run_declared(extract_session_id, ctx)
    assert done.session_id == expected
    assert done.body is before


@pytest.mark.parametrize("raw", [b"", b"text", b'{"metadata": "user_id"}', b'{"metadata": {"user_id": "a_session_b"'])
def test_other_bodies_say_nothing(raw: bytes) -> None:
    assert run_declared(extract_session_id, ask(raw)).session_id is None


def test_a_header_that_could_harm_a_terminal_is_not_used() -> None:
    ctx = ask(body("u_session_good"), ("session-id", "\x1b[31m"))
    assert run_declared(extract_session_id, ctx).session_id == "good"
