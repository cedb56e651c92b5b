"""What is kept for the next turn, and for whom."""

import pytest

from ccproxy.lightllm.memory import Kept, Memory, call_key, dump_kept, load_kept, text_key
from ccproxy.lightllm.prompt import Thought

THOUGHT = Thought("hm", "c2ln", id="rs_1")


def test_only_the_provider_that_gave_it_gets_it_back() -> None:
    memory = Memory()
    memory.remember("anthropic", call_key("c1"), Kept((THOUGHT,)))
    assert memory.recall("anthropic", call_key("c1")) == Kept((THOUGHT,))
    assert memory.recall("deepseek", call_key("c1")) is None


def test_a_client_may_trim_the_text_that_it_brings_back() -> None:
    assert text_key("Hello\n", "a") == text_key(" Hello", "a") != text_key("Hello!", "a")
    assert text_key("Hello", "a") != text_key("Hello", "b")


def test_it_holds_no_more_than_its_limit_and_forgets_what_was_not_used() -> None:
    memory = Memory(limit=3000)
    for number in range(10):
        memory.remember("p", call_key(str(number)), Kept((Thought("x" * 400, "s"),)))
        memory.recall("p", call_key("0"))
    kept = [number for number in range(10) if memory.recall("p", call_key(str(number))) is not None]
    assert kept[0] == 0 and kept[-1] == 9 and len(kept) == 3
    assert sorted(memory.changed) == [("p", f"call:{number}") for number in kept]


def test_what_is_larger_than_the_whole_memory_is_not_kept() -> None:
    memory = Memory(limit=3000)
    memory.remember("p", call_key("a"), Kept())
    memory.remember("p", call_key("b"), Kept((Thought("x" * 4000, "s"),)))
    assert memory.recall("p", call_key("a")) is not None
    assert memory.recall("p", call_key("b")) is None


def test_a_later_entry_takes_the_place_of_an_earlier_one() -> None:
    memory = Memory(limit=1000)
    for _ in range(50):
        memory.remember("p", call_key("a"), Kept((Thought("x" * 100, "s"),)))
    assert memory.recall("p", call_key("a")) is not None


@pytest.mark.parametrize("kept", [Kept(), Kept((THOUGHT, Thought("", "r", redacted=True)), "sig"), Kept((), "é\ud800")])
def test_an_entry_is_stored_and_read_back(kept: Kept) -> None:
    assert load_kept(dump_kept(kept)) == kept


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"[1, 2]", b"[[[1]], null]", b"null"])
def test_a_damaged_entry_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no entry"):
        load_kept(data)


def test_the_names_that_a_provider_chooses_count_too() -> None:
    memory = Memory(limit=3000)
    for number in range(10):
        memory.remember("p", call_key(f"{number:01000}"), Kept((), "s"))
    kept = [number for number in range(10) if memory.recall("p", call_key(f"{number:01000}")) is not None]
    assert kept == [8, 9]
    memory.remember("p", call_key("x" * 4000), Kept((), "s"))
    assert memory.recall("p", call_key("x" * 4000)) is None
