"""The recorded provider streams, which lie beside the repository; tests are skipped where they do not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ccproxy.lightllm.dialect import Dialect
from tests.support.need import need

ROOT = Path(__file__).parents[2].parent / "shared" / "recordings"
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
