from __future__ import annotations

import pytest

from ccproxy import sentinel
from ccproxy.errors import BadRequest, CredentialError, Forbidden
from ccproxy.headers import Headers
from ccproxy.sentinel import PREFIX, Sentinel

JSON = ("content-type", "application/json")


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(tuple((name.encode(), value.encode()) for name, value in pairs))


@pytest.mark.parametrize(
    ("pairs", "path", "slot"),
    [
        ([("X-Api-Key", PREFIX + "deepseek")], "/v1/messages", "x-api-key"),
        ([("Authorization", f"Bearer {PREFIX}deepseek")], "/v1/messages", "authorization"),
        ([("authorization", f"bearer   {PREFIX}deepseek ")], "/v1/messages", "authorization"),
        ([("x-goog-api-key", PREFIX + "deepseek")], "/v1beta/models/m:generateContent", "x-goog-api-key"),
        ([("api-key", PREFIX + "deepseek")], "/v1/messages", "api-key"),
        ([JSON], f"/v1beta/models/m:generateContent?alt=sse&key={PREFIX}deepseek", "key"),
        ([JSON], "/v1beta/models?key=sk%2Dant-oat-ccproxy-deepseek", "key"),
        ([JSON], f"/v1beta/models?%6bey={PREFIX}deepseek", "key"),
        # The client's own key in another slot does not hide it, nor does a repeated field.
        ([("x-api-key", "sk-real"), ("x-api-key", PREFIX + "deepseek")], "/v1/messages", "x-api-key"),
        ([("x-api-key", "sk-real"), ("authorization", f"Bearer {PREFIX}deepseek")], "/", "authorization"),
    ],
)
def test_a_sentinel_is_found_in_every_slot(pairs: list[tuple[str, str]], path: str, slot: str) -> None:
    found = sentinel.find(headers(*pairs), path, has_body=True)
    assert found is not None
    assert (found.provider, found.slot, found.token) == ("deepseek", slot, None)


@pytest.mark.parametrize(
    ("pairs", "path"),
    [
        ([], "/v1/messages"),
        ([("x-api-key", "sk-ant-oat01-real")], "/v1/messages?monkey=1"),
        ([("authorization", f"Basic {PREFIX}deepseek")], "/"),
        ([("x-note", PREFIX + "deepseek")], "/"),
        ([], f"/?other={PREFIX}deepseek"),
    ],
)
def test_nothing_else_is_taken_for_one(pairs: list[tuple[str, str]], path: str) -> None:
    assert sentinel.find(headers(*pairs), path, has_body=False) is None


def test_the_token_is_parsed_and_never_shown() -> None:
    found = sentinel.find(headers(("x-api-key", PREFIX + "zai-2.s3cret.with.dots")), "/", has_body=False)
    assert found == Sentinel("zai-2", "x-api-key", "s3cret.with.dots")
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("rest", ["", ".token", "a b", "a.", "ä", "deep/seek"])
def test_a_misspelt_sentinel_is_an_error_without_its_value(rest: str) -> None:
    with pytest.raises(CredentialError, match="names no provider") as caught:
        sentinel.parse(PREFIX + rest, "x-api-key")
    assert rest == "" or PREFIX + rest not in str(caught.value)


def test_two_different_sentinels_are_refused() -> None:
    two = headers(("x-api-key", PREFIX + "a"), ("authorization", f"Bearer {PREFIX}b"))
    with pytest.raises(BadRequest, match="two different sentinel keys"):
        sentinel.find(two, "/", has_body=False)


def test_the_same_sentinel_twice_is_one() -> None:
    twice = headers(("x-api-key", PREFIX + "a"), ("authorization", f"Bearer {PREFIX}a"))
    assert sentinel.find(twice, "/", has_body=False) == Sentinel("a", "x-api-key")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/plain; a=application/json", ""]
)
def test_a_query_sentinel_needs_a_json_body(kind: str) -> None:
    with pytest.raises(Forbidden, match="content-type: application/json"):
        sentinel.find(headers(("content-type", kind)), f"/x?key={PREFIX}a", has_body=True)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"])
def test_a_query_sentinel_with_a_json_body_counts(kind: str) -> None:
    assert sentinel.find(headers(("content-type", kind)), f"/x?key={PREFIX}a", has_body=True) is not None


def test_a_query_sentinel_without_a_body_counts() -> None:
    assert sentinel.find(headers(), f"/v1beta/models?key={PREFIX}a", has_body=False) is not None


def test_removing_empties_every_slot_and_keeps_the_rest_of_the_query() -> None:
    all_slots = headers(
        ("x-api-key", PREFIX + "a"), ("Authorization", "Bearer real"), ("X-Goog-Api-Key", "real"), ("api-key", "real"),
        ("accept", "*/*"),
    )  # fmt: skip
    assert sentinel.remove(all_slots, "/v1/m?alt=sse&key=real&x=%20&%6Bey=2&keys=3") == "/v1/m?alt=sse&x=%20&keys=3"
    assert list(all_slots) == [("accept", "*/*")]
    assert sentinel.remove(all_slots, "/v1/m?key=real") == "/v1/m"
    assert sentinel.remove(all_slots, "/v1/m?") == "/v1/m?"


@pytest.mark.parametrize(
    ("pair", "path"),
    [
        (("cookie", f"k={PREFIX}a"), "/"),
        (("x-note", "sk-ant-oat%2Dccproxy-a"), "/"),
        ((PREFIX + "a", "1"), "/"),
        (("a", "b"), f"/?q={PREFIX}a"),
        (("a", "b"), "/sk-ant-oat-ccprox%79-a"),
    ],
)
def test_a_sentinel_is_seen_wherever_it_is_left(pair: tuple[str, str], path: str) -> None:
    assert sentinel.is_left_in(headers(pair), path)
    assert not sentinel.is_left_in(headers(("a", "100%")), "/?q=%41")


def test_an_unknown_provider_is_told_what_there_is() -> None:
    message = str(sentinel.unknown_provider("antropic", ["deepseek", "anthropic"]))
    assert "'antropic'" in message
    assert "did you mean sk-ant-oat-ccproxy-anthropic?" in message
    assert "anthropic, deepseek" in message
