"""Token counts, in one convention for all providers.

>>> body = {"type": "message", "model": "m", "stop_reason": "end_turn",
...         "usage": {"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 7}}
>>> usage_from_body(Dialect.ANTHROPIC, body)
(Usage(input=103, output=7, cache_read=100, cache_write=None, reasoning=None), 'end_turn', 'm')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ccproxy.lightllm.anthropic import usage as anthropic
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.ending import Reader, Usage
from ccproxy.lightllm.google import usage as google
from ccproxy.lightllm.openai_chat import usage as openai_chat
from ccproxy.lightllm.openai_responses import usage as openai_responses

__all__ = ["READERS", "Usage", "usage_from_body"]

READERS: Final[Mapping[Dialect, Reader]] = {
    Dialect.ANTHROPIC: anthropic,
    Dialect.OPENAI: openai_chat,
    Dialect.OPENAI_RESPONSES: openai_responses,
    Dialect.GOOGLE: google,
}


def usage_from_body(dialect: Dialect | None, body: Mapping[str, object]) -> tuple[Usage | None, str | None, str | None]:
    """Token counts, stop reason in the provider's word, and model of an answer that was not streamed.

    Each is None where the answer does not say, as for an error or a list of models.
    """
    if dialect is None:
        return None, None, None
    reader = READERS[dialect]
    ending = reader.read_body(body)
    usage = reader.normalise(ending.counts) if ending.counts else None
    return usage, ending.stop_reason, ending.model
