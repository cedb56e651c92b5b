from __future__ import annotations

import pytest

from ccproxy.errors import BadRequest, CredentialError, Forbidden
from ccproxy.hooks.inject_auth import inject_auth
from ccproxy.pipeline.run import run
from ccproxy.sentinel import PREFIX, Sentinel
from tests.hooks.declared import run_declared
from tests.pipeline.ask import ask, planned, ticks

JSON = ("content-type", "application/json")


@pytest.mark.parametrize("slot", ["x-api-key", "x-goog-api-key", "api-key"])
def test_a_sentinel_is_taken_out_with_every_other_credential(slot: str) -> None:
    ctx = ask(
        {"a": 1}, JSON, ("Authorization", "Bearer sk-own"), (slot, f"{PREFIX}anthropic.t0ken"), ("x-api-key", "sk-own"),
        path="/v1/messages?beta=true&key=AIza-own",
    )  # fmt: skip
    body = ctx.body
    done = run_declared(inject_auth, ctx)
    assert done.sentinel == Sentinel("anthropic", slot, "t0ken")  # type: ignore[arg-type]
    assert list(done.headers) == [JSON]
    assert done.path == "/v1/messages?beta=true"
    assert done.body is body


def test_a_bearer_sentinel() -> None:
    done = run_declared(inject_auth, ask(b"", ("authorization", f"Bearer {PREFIX}deepseek")))
    assert done.sentinel == Sentinel("deepseek", "authorization")
    assert len(done.headers) == 0


def test_a_sentinel_in_the_query() -> None:
    path = f"/v1beta/models/m:generateContent?key={PREFIX}deepseek&alt=sse"
    done = run_declared(inject_auth, ask({}, JSON, path=path))
    assert done.sentinel == Sentinel("deepseek", "key")
    assert done.path == "/v1beta/models/m:generateContent?alt=sse"


def test_without_a_sentinel_the_clients_own_key_stays() -> None:
    ctx = ask({}, ("x-api-key", "sk-own"), path="/v1/messages?key=own")
    fields = ctx.headers.fields
    done = run_declared(inject_auth, ctx)
    assert done.sentinel is None
    assert done.headers.fields is fields
    assert done.path == "/v1/messages?key=own"


@pytest.mark.parametrize(
    ("pairs", "path", "error", "text"),
    [
        ([("x-api-key", PREFIX + "antropic")], "/", CredentialError, "did you mean sk-ant-oat-ccproxy-anthropic"),
        ([("x-api-key", PREFIX)], "/", CredentialError, "names no provider"),
        ([("x-api-key", PREFIX + "anthropic"), ("api-key", PREFIX + "deepseek")], "/", BadRequest, "two different"),
        ([("content-type", "text/plain")], f"/?key={PREFIX}anthropic", Forbidden, "content-type"),
    ],
)
def test_what_ends_the_request(pairs: list[tuple[str, str]], path: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        run(planned(inject_auth), ask({}, *pairs, path=path), timer=ticks())
