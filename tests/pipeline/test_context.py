from __future__ import annotations

import json
import zlib

import pytest

from ccproxy.errors import BadRequest, PayloadTooLarge
from ccproxy.lightllm.dialect import Dialect, Endpoint
from ccproxy.pipeline.extras import NotJson
from tests.pipeline.ask import ask


def gunzip(body: bytes, coding: str, limit: int) -> bytes:
    if coding != "gzip":
        raise BadRequest(f"content-encoding {coding!r} cannot be read")
    inner = zlib.decompressobj(31)
    out = inner.decompress(body, limit + 1)
    if len(out) > limit:
        raise PayloadTooLarge("it decompresses to too much")
    return out


def gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


def test_headers_are_read_and_written() -> None:
    ctx = ask(b"", ("X-A", "1"), ("x-b", "2"))
    assert (ctx.get_header("x-a"), ctx.get_header("x-c"), ctx.get_header("x-c", "0")) == ("1", "", "0")
    ctx.set_header("x-a", "")
    ctx.set_header("x-c", "3")
    assert list(ctx.headers) == [("x-b", "2"), ("x-c", "3")]
    with pytest.raises(BadRequest):
        ctx.set_header("x-d", "1\r\nx-e: 2")


def test_a_body_that_is_only_read_leaves_as_the_same_object() -> None:
    body = b'{ "model" : "m", "stream":true , "messages":[{"role":"user","content":"hi"}]}'
    ctx = ask(body)
    assert (ctx.model, ctx.stream, ctx.extras.get("messages.0.content")) == ("m", True, "hi")
    assert ctx.conversation_id
    assert ctx.body is body


def test_json_is_parsed_once() -> None:
    ctx = ask({"a": 1})
    assert ctx.json is ctx.json


@pytest.mark.parametrize(
    "body", [b"", b"x", b'{"a"', b"\xff", '{"a": 1}'.encode("utf-16"), b"\xef\xbb\xbf{}", b"[" * 10**6]
)
def test_what_is_no_json_is_none(body: bytes) -> None:
    ctx = ask(body)
    assert ctx.json is None
    assert ctx.model is None
    assert ctx.stream is False
    assert ctx.may_be_json is False
    assert ctx.warnings == []
    with pytest.raises(NotJson):
        ctx.extras.set("a", 1)
    with pytest.raises(NotJson):
        ctx.replace(("a",), 1)
    assert ctx.body is body


@pytest.mark.parametrize(("body", "expected"), [(b" \n{}", True), (b"[1]", True), (b"x", False), (b"", False)])
def test_a_look_at_the_first_byte(body: bytes, expected: bool) -> None:
    assert ask(body).may_be_json is expected
    assert ask(body).has_body is (body != b"")


def test_a_body_above_the_limit_is_not_parsed_and_the_flow_says_so() -> None:
    body = json.dumps({"a": "x" * 100}).encode()
    ctx = ask(body, parse_bytes=len(body) - 1)
    assert ctx.json is None
    assert ctx.extras.get("a") is None
    assert ctx.warnings == [
        f"hooks could not read the body: it is larger than {len(body) - 1} bytes (limits.parse_bytes)"
    ]
    assert ask(body, parse_bytes=len(body)).json == {"a": "x" * 100}


def test_a_document_is_an_object_or_a_clear_error() -> None:
    assert ask({"a": 1}).document() == {"a": 1}
    for body in (b"[1]", b"nope", b"", b'{"a": NaN}'):
        with pytest.raises(BadRequest, match="it is no JSON object"):
            ask(body).document()
    with pytest.raises(PayloadTooLarge, match="larger than 3 bytes"):
        ask(b'{"a": 1}', parse_bytes=3).document()
    with pytest.raises(BadRequest, match="'br' cannot be read"):
        ask(b"{}", ("content-encoding", "br"), decode=gunzip).document()


def test_a_translated_request_is_seen_as_the_provider_gets_it() -> None:
    ctx = ask(
        gzip(b'{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'),
        ("content-encoding", "gzip"),
        decode=gunzip,
    )
    conversation = ask({"messages": [{"role": "user", "content": "hi"}]}).conversation_id
    target = "/v1beta/models/gemini:generateContent"
    document = {"contents": [{"role": "user", "parts": [{"text": "h\u00ef"}]}]}
    ctx.retarget(Endpoint(Dialect.GOOGLE, "generate", "gemini", "generateContent"), target, document)
    assert (ctx.model, ctx.path, ctx.conversation_id) == ("gemini", target, conversation)
    assert (ctx.json, ctx.plain) == (document, ctx.body)
    assert "content-encoding" not in ctx.headers
    ctx.extras.set("generationConfig.topK", 3)
    ctx.model = "gemini-b"
    assert ctx.path == "/v1beta/models/gemini-b:generateContent"
    assert ctx.body == '{"contents":[{"role":"user","parts":[{"text":"hï"}]}],"generationConfig":{"topK":3}}'.encode()


def test_an_encoded_body_is_read_and_leaves_as_it_came() -> None:
    packed = gzip(b'{"model": "m"}')
    ctx = ask(packed, ("content-encoding", "GZip"), decode=gunzip)
    assert ctx.may_be_json
    assert ctx.mentions(b"anything")
    assert ctx.model == "m"
    assert ctx.body is packed
    assert ctx.get_header("content-encoding") == "GZip"


def test_an_encoded_body_that_is_written_leaves_plain() -> None:
    ctx = ask(gzip(b'{"model": "m"}'), ("Content-Encoding", "gzip"), decode=gunzip)
    ctx.extras.set("model", "n")
    assert json.loads(ctx.body) == {"model": "n"}
    assert "content-encoding" not in ctx.headers


@pytest.mark.parametrize(
    ("body", "coding", "warned"),
    [
        (gzip(b"x" * 10_000), "gzip", "it decompresses to too much"),
        (b"{}", "br", "content-encoding 'br' cannot be read"),
    ],
)
def test_an_encoded_body_that_cannot_be_read_is_a_warning(body: bytes, coding: str, warned: str) -> None:
    ctx = ask(body, ("content-encoding", coding), decode=gunzip, parse_bytes=1000)
    assert ctx.json is None
    assert ctx.json is None
    assert ctx.warnings == [f"hooks could not read the body: {warned}"]
    assert ctx.body is body


def test_without_a_decoder_an_encoded_body_is_not_read() -> None:
    assert ask(b"{}", ("content-encoding", "gzip")).json is None
    assert ask(b"{}", ("content-encoding", "identity")).json == {}


def test_replacing_the_whole_body() -> None:
    ctx = ask({"a": 1}, ("content-encoding", "identity"))
    assert ctx.json == {"a": 1}
    ctx.body = b'{"a": 2}'
    assert ctx.json == {"a": 2}
    assert "content-encoding" not in ctx.headers


def test_a_look_at_the_bytes() -> None:
    ctx = ask(b'{"user_id": 1}')
    assert ctx.mentions(b'"user_id"')
    assert not ctx.mentions(b"session")


def test_the_model_and_the_stream_of_a_google_path() -> None:
    ctx = ask({"contents": []}, path="/v1beta/models/gemini-x:streamGenerateContent?alt=sse")
    assert (ctx.model, ctx.stream) == ("gemini-x", True)
    assert ask({"model": 1, "stream": "true"}).model is None
    assert ask({"model": 1, "stream": "true"}).stream is False


def test_the_conversation_does_not_change_when_the_body_does() -> None:
    ctx = ask({"messages": [{"role": "user", "content": "hi"}]})
    before = ctx.conversation_id
    ctx.extras.set("messages.0.content", "other")
    assert ctx.conversation_id == before == "8f434346648f"
