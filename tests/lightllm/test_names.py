"""Ids and names of one dialect in another, and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.names import Names, fit_id, restore_id

PLAIN = {
    Dialect.ANTHROPIC: r"[a-zA-Z0-9_-]{1,256}",
    Dialect.OPENAI: r"[!-~]{1,40}",
    Dialect.OPENAI_RESPONSES: r"[!-~]{1,64}",
    Dialect.GOOGLE: r"[!-~]{1,256}",
}
NAME = {
    Dialect.ANTHROPIC: r"[a-zA-Z0-9_-]{1,128}",
    Dialect.OPENAI: r"[a-zA-Z0-9_-]{1,64}",
    Dialect.OPENAI_RESPONSES: r"[a-zA-Z0-9_-]{1,64}",
    Dialect.GOOGLE: r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}",
}


@given(st.text(min_size=1, max_size=300), st.sampled_from(Dialect))
def test_every_dialect_takes_the_id_that_it_is_given(call_id: str, target: Dialect) -> None:
    assert re.fullmatch(PLAIN[target], fit_id(call_id, target))


@given(st.text(min_size=1, max_size=20), st.sampled_from(Dialect))
def test_a_short_id_comes_back_whatever_it_was(call_id: str, target: Dialect) -> None:
    fitted = fit_id(call_id, target)
    if len(call_id.encode("utf-8", "surrogatepass")) <= 20:
        assert restore_id(fitted) == call_id


@pytest.mark.parametrize("call_id", ["toolu_01A09q90qw90lq917835lq9", "call_abc", "x"])
def test_an_id_that_everybody_takes_stays(call_id: str) -> None:
    assert {fit_id(call_id, target) for target in Dialect} == {call_id}


def test_ids_that_are_no_work_of_ours_are_left_alone() -> None:
    assert restore_id("cc1_!!") == "cc1_!!"
    assert restore_id("cc0_1234") == "cc0_1234"


def test_long_ids_stay_apart_and_the_same_one_stays_itself() -> None:
    first, second = "functions." + "x" * 90 + "1", "functions." + "x" * 90 + "2"
    assert fit_id(first, Dialect.OPENAI) == fit_id(first, Dialect.OPENAI) != fit_id(second, Dialect.OPENAI)


@given(st.lists(st.text(min_size=1, max_size=200), unique=True, max_size=8), st.sampled_from(Dialect))
def test_tools_keep_names_of_their_own_and_the_client_sees_its_own(given_names: list[str], target: Dialect) -> None:
    names = Names(target)
    fitted = [names.fit(name) for name in given_names]
    assert all(re.fullmatch(NAME[target], name) for name in fitted)
    assert len(set(fitted)) == len(given_names)
    assert [names.restore(name) for name in fitted] == given_names
    assert [names.fit(name) for name in given_names] == fitted


def test_a_name_that_no_request_had_passes() -> None:
    assert Names(Dialect.OPENAI).restore("invented") == "invented"
