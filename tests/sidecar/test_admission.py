"""Who may use the sidecar."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.errors import Forbidden
from ccproxy.headers import Headers
from ccproxy.sidecar.admission import Admission, NotReady
from tests.support.need import need_linux

OURS, THEIRS = ("127.0.0.1", 4002), ("127.0.0.1", 50000)
ME = 1000


def given(*tokens: str) -> Headers:
    return Headers(tuple((b"x-ccproxy-token", token.encode()) for token in tokens))


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("right\n")
    return path


def admission(token: Path, uid: int | None = ME) -> Admission:
    return Admission(token, uid_of=lambda ours, theirs: uid, own_uid=ME)


def test_right_token_of_our_own_user(token: Path):
    admission(token).check(OURS, THEIRS, given("right"))


@pytest.mark.parametrize("tokens", [(), ("",), ("wrong",), ("right ",), ("right", "right"), ("righ",), ("r\u00ffght",)])
def test_any_other_token_is_refused(token: Path, tokens: tuple[str, ...]):
    with pytest.raises(Forbidden, match="x-ccproxy-token is missing or wrong"):
        admission(token).check(OURS, THEIRS, given(*tokens))


def test_token_is_read_each_time(token: Path):
    door = admission(token)
    door.check(OURS, THEIRS, given("right"))
    token.write_text("newer")
    with pytest.raises(Forbidden):
        door.check(OURS, THEIRS, given("right"))
    door.check(OURS, THEIRS, given("newer"))


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_without_a_token_nobody_gets_in(token: Path, text: str | None):
    token.unlink() if text is None else token.write_text(text)
    for tokens in ((), ("",), ("right",)):
        with pytest.raises(NotReady, match="is it running") as caught:
            admission(token).check(OURS, THEIRS, given(*tokens))
        assert caught.value.status == 503


@pytest.mark.parametrize("uid", [0, ME + 1])
def test_other_users_are_refused_whatever_they_know(token: Path, uid: int):
    with pytest.raises(Forbidden, match="own user only"):
        admission(token, uid).check(OURS, THEIRS, given("right"))


def test_user_that_cannot_be_told_is_refused(token: Path):
    need_linux()  # only Linux can tell, so only there is it odd not to know
    with pytest.raises(Forbidden):
        admission(token, None).check(OURS, THEIRS, given("right"))
    with pytest.raises(Forbidden):
        admission(token).check(None, None, given("right"))
