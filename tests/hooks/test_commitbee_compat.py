from __future__ import annotations

import json

import pytest

from ccproxy.hooks.commitbee_compat import CommitbeeParams, commitbee_compat
from tests.hooks.declared import run_declared
from tests.pipeline.ask import ask

PARAMS = CommitbeeParams()
PROMPT = "You generate Conventional Commit messages from git diffs.\n\nUse exactly one type."
WANTED = f"{PROMPT}\n\n{PARAMS.instruction}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"system": PROMPT, "messages": []}, {"system": WANTED, "messages": []}),
        (
            {"system": [{"text": "x"}, {"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral"}}]},
            {"system": [{"text": "x"}, {"type": "text", "text": WANTED, "cache_control": {"type": "ephemeral"}}]},
        ),
        ({"messages": [{"role": "system", "content": PROMPT}]}, {"messages": [{"role": "system", "content": WANTED}]}),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "developer", "content": [{"text": PROMPT}]}]},
            {"messages": [{"role": "user", "content": "a"}, {"role": "developer", "content": [{"text": WANTED}]}]},
        ),
        ({"instructions": PROMPT}, {"instructions": WANTED}),
        ({"systemInstruction": {"parts": [{"text": PROMPT}]}}, {"systemInstruction": {"parts": [{"text": WANTED}]}}),
    ],
)
def test_the_instruction_is_added_to_the_prompt(given: object, expected: object) -> None:
    done = run_declared(commitbee_compat, ask(given), PARAMS)
    assert json.loads(done.body) == expected
    once = done.body
    assert run_declared(commitbee_compat, ask(once), PARAMS).body is once


@pytest.mark.parametrize(
    "given",
    [
        {"system": "You are helpful."},
        {"system": None},
        {"system": [PROMPT]},
        {"messages": [{"role": "user", "content": PROMPT}]},
        {"messages": PROMPT},
        [PROMPT],
    ],
)
def test_other_requests_are_left_alone(given: object) -> None:
    ctx = ask(given)
    before = ctx.body
    assert run_declared(commitbee_compat, ctx, PARAMS).body is before


def test_another_signature_also_where_the_client_escapes_it() -> None:
    params = CommitbeeParams(signature="Größe »x«", instruction="nur JSON")
    for escape in (True, False):
        raw = json.dumps({"system": "Die Größe »x«"}, ensure_ascii=escape).encode()
        done = run_declared(commitbee_compat, ask(raw), params)
        assert json.loads(done.body) == {"system": "Die Größe »x«\n\nnur JSON"}


def test_bytes_around_the_prompt_stay() -> None:
    raw = b'{ "max_tokens":1.0e1,\n"system":' + json.dumps(PROMPT).encode() + b' ,"x":"\\u00e9" }'
    done = run_declared(commitbee_compat, ask(raw), PARAMS)
    assert done.body.startswith(b'{ "max_tokens":1.0e1,\n"system":')
    assert done.body.endswith(b' ,"x":"\\u00e9" }')
