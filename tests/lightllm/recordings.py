"""The recorded provider streams: in the folder that CCPROXY_RECORDINGS names, else in one beside the repository.

They are not part of it. Where neither is, the tests that want them are skipped, under CCPROXY_TEST_NO_SKIP too: nobody
can install them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccproxy.lightllm.dialect import Dialect
from tests.support.need import need

NAMED = os.environ.get("CCPROXY_RECORDINGS")
ROOT = Path(NAMED) if NAMED else Path(__file__).parents[3] / "shared" / "recordings"
FOLDERS = {
    "anthropic": Dialect.ANTHROPIC,
    "openai-chat": Dialect.OPENAI,
    "openai-responses": Dialect.OPENAI_RESPONSES,
    "gemini": Dialect.GOOGLE,
}


@dataclass(frozen=True, slots=True)
class Recording:
    """One stream, with the request that it answers where that is known."""

    name: str
    dialect: Dialect
    stream: bytes
    request: bytes | None


def recordings() -> list[Recording]:
    """All of them, in the order of the index. Skips the calling test where there are none."""
    index = ROOT / "index.json"
    if not NAMED and not ROOT.is_dir():
        pytest.skip(f"there are no recordings: {ROOT} does not exist, and CCPROXY_RECORDINGS names no other folder")
    need(index.is_file(), f"no recordings in {ROOT}")
    found = []
    for entry in json.loads(index.read_text()):
        path = ROOT / entry["file"]
        request = path.with_name(path.name.removesuffix(".sse") + ".request.json")
        found.append(
            Recording(
                entry["file"],
                FOLDERS[entry["file"].partition("/")[0]],
                path.read_bytes(),
                request.read_bytes() if request.is_file() else None,
            )
        )
    need(bool(found), f"no recordings in {ROOT}")
    return found
