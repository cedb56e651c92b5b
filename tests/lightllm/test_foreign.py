"""Thoughts of another provider do not reach one of the client's own format; every other byte does."""

from __future__ import annotations

import json

import pytest

from ccproxy.lightllm import json_edit
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.foreign import without_foreign
from ccproxy.lightllm.memory import FOREIGN

OURS = f'{{ "type":"thinking", "thinking" : "x\\u00e9", "signature":"{FOREIGN}" }}'
TRUE = '{"type":"thinking","thinking":"é", "signature":"dHJ1ZQ=="}'
TEXT = '{"type":"text" ,"text":"1.0e3 \\/ ü"}'
REASONING = f'{{"type":"reasoning","summary":[],"encrypted_content":"{FOREIGN}"}}'
OWN_REASONING = '{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}'


def anthropic(*contents: str) -> bytes:
    turns = ", ".join(f'{{"content":{content},"role":"assistant"}}' for content in contents)
    return f'{{"model":"m",\n "messages" : [ {turns} ], "max_tokens":1.0e1}}\n'.encode()


def responses(*items: str) -> bytes:
    return f'{{"input": [ {", ".join(items)} ],"model":"m" }}'.encode()


@pytest.mark.parametrize(
    ("dialect", "raw", "expected"),
    [
        (Dialect.ANTHROPIC, anthropic(f"[{OURS}, {TEXT}]"), anthropic(f"[{TEXT}]")),
        (Dialect.ANTHROPIC, anthropic(f"[{TEXT}, {OURS}]", '"hi"'), anthropic(f"[{TEXT}]", '"hi"')),
        (
            Dialect.ANTHROPIC,
            anthropic(f"[{TRUE}, {TEXT}]", f"[{OURS}, {TEXT}, {OURS}, {TEXT}]", f"[{TRUE}]"),
            anthropic(f"[{TRUE}, {TEXT}]", f"[{TEXT}, {TEXT}]", f"[{TRUE}]"),
        ),
        (Dialect.ANTHROPIC, anthropic('"é"', f"[{OURS}]", '"b"'), anthropic('"é"', '"b"')),  # an empty turn is refused
        (Dialect.ANTHROPIC, anthropic(f"[{TRUE}]"), None),
        (Dialect.ANTHROPIC, anthropic(json.dumps(f"I saw {FOREIGN}")), None),
        (
            Dialect.OPENAI_RESPONSES,
            responses('{"role":"user","content":"é"}', REASONING, OWN_REASONING, REASONING),
            responses('{"role":"user","content":"é"}', OWN_REASONING),
        ),
        (Dialect.OPENAI_RESPONSES, b'{"input":"' + FOREIGN.encode() + b'"}', None),
        (Dialect.OPENAI, anthropic(f"[{OURS}]"), None),
        (Dialect.ANTHROPIC, b"no JSON " + FOREIGN.encode(), None),
        (Dialect.ANTHROPIC, b'{"messages":[1,null,{"content":[1,{"type":"thinking"}]}],"messages":[]}', None),
        (Dialect.ANTHROPIC, f'{{"messages":[],"messages":[{{"content":[{OURS}]}}]}}'.encode(), None),
    ],
)
def test_only_foreign_thoughts_go(dialect: Dialect, raw: bytes, expected: bytes | None) -> None:
    found = without_foreign(dialect, raw)
    assert found == (raw if expected is None else expected)
    assert found is raw or expected is not None


def test_spans_of_elements() -> None:
    raw = '{"é": [ "ü" , {"a": [1]},2 ]}'.encode()
    found = json_edit.spans(raw, ("é",))
    assert [raw[place.start : place.end].decode() for place in found] == ['"ü"', '{"a": [1]}', "2"]
    with pytest.raises(KeyError):
        json_edit.spans(raw, ("b",))
