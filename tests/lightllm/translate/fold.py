"""An answer as its vendor's own SDK understands it, so that answers in two dialects can be compared.

``fold`` gives a stream's bytes to the SDK's client, which reads them from memory, lets its accumulator put the answer
together and says what is in it. ``fold_document`` does the same with an answer that is one JSON document, and
``document`` makes such a document from a stream, as the SDK would dump it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate import fold_anthropic, fold_google, fold_openai
from tests.lightllm.translate.folded import API_ERRORS, Folded, Unfoldable

__all__ = ["Folded", "Unfoldable", "document", "fold", "fold_document"]


def fold(dialect: Dialect, stream: bytes) -> Folded:
    """Fold a stream. Raises Unfoldable."""
    return _guarded(lambda: _FOLDS[dialect](stream))


def fold_document(dialect: Dialect, body: Mapping[str, object]) -> Folded:
    """The same of an answer that was not streamed."""
    return _guarded(lambda: _WHOLES[dialect](json.dumps(body).encode()))


def document(dialect: Dialect, folded: Folded) -> dict[str, Any] | None:
    """The whole answer as JSON, of a folded stream; None if the SDK's accumulator does not make one."""
    message = folded.message
    match dialect:
        case Dialect.GOOGLE:
            assert isinstance(message, list)
            return fold_google.joined(
                [chunk.model_dump(mode="json", by_alias=True, exclude_none=True, warnings=False) for chunk in message]
            )
        case Dialect.OPENAI:
            whole = _dumped(message)
            whole["object"] = "chat.completion"
            for choice in whole["choices"]:
                for call in choice["message"].get("tool_calls") or []:
                    call.pop("index", None)
            return whole
        case _:
            return _dumped(message) if message is not None else None


def _dumped(message: Any) -> dict[str, Any]:
    whole = message.to_dict(mode="json", use_api_names=True, warnings=False)
    assert isinstance(whole, dict)
    return whole


def _guarded(call: Callable[[], Folded]) -> Folded:
    try:
        with warnings.catch_warnings(action="ignore"):  # pydantic's, of fields that are newer than the SDK
            return call()
    except API_ERRORS as error:
        return Folded(stop="error", error=f"{type(error).__name__}: {error}")
    except Unfoldable:
        raise
    except Exception as error:
        raise Unfoldable(f"{type(error).__name__}: {error}"[:2000]) from error


_FOLDS: dict[Dialect, Callable[[bytes], Folded]] = {
    Dialect.ANTHROPIC: fold_anthropic.fold,
    Dialect.OPENAI: fold_openai.fold_chat,
    Dialect.OPENAI_RESPONSES: fold_openai.fold_responses,
    Dialect.GOOGLE: fold_google.fold,
}
_WHOLES: dict[Dialect, Callable[[bytes], Folded]] = {
    Dialect.ANTHROPIC: fold_anthropic.fold_document,
    Dialect.OPENAI: fold_openai.fold_chat_document,
    Dialect.OPENAI_RESPONSES: fold_openai.fold_responses_document,
    Dialect.GOOGLE: fold_google.fold_document,
}
