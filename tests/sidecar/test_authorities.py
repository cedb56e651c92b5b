"""Which certificate authorities are trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.errors import ConfigError
from ccproxy.sidecar.authorities import public, with_own
from tests.support.certificates import Authority


def test_public_ones_alone(tmp_path: Path):
    assert with_own(None, tmp_path / "folder") == public()
    assert not (tmp_path / "folder").exists()


def test_own_ones_come_beside_the_public_ones(tmp_path: Path):
    own = Authority(tmp_path).ca_file
    joined = with_own(own, tmp_path / "folder")
    text = joined.read_text()
    assert own.read_text() in text and public().read_text() in text
    assert joined.parent.stat().st_mode & 0o077 == 0
    assert with_own(own, tmp_path / "folder") == joined, "it can be written again"


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "cannot be read: No such file"), ("", "holds no certificate"), ("x", "no certificate")]
)
def test_unusable_file_is_a_configuration_error(tmp_path: Path, text: str | None, reason: str):
    own = tmp_path / "own.pem"
    if text is not None:
        own.write_text(text)
    with pytest.raises(ConfigError, match=f"upstream_ca_file: .*{reason}"):
        with_own(own, tmp_path / "folder")
