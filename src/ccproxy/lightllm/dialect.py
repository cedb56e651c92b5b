"""The wire formats, and how a request path says which one it is.

=====================  ==========================================================================================
dialect                paths (each with or without its version prefix, any ``/vendor`` prefix before ``/v1``)
=====================  ==========================================================================================
``anthropic``          ``/v1/messages``, ``/v1/messages/count_tokens``, ``/v1/messages/batches…``
``openai``             ``/v1/chat/completions``
``openai_responses``   ``/v1/responses``, ``/v1/responses/input_tokens``, ``/backend-api/codex/responses``
``google``             ``/v1|v1beta|v1alpha/models/M:action``, ``/v1internal:action``; the colon also as ``%3A``
=====================  ==========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

type Operation = Literal["generate", "count_tokens", "models", "other"]


class Dialect(StrEnum):
    """A wire format that clients and providers speak."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    OPENAI_RESPONSES = "openai_responses"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a request path asks for."""

    dialect: Dialect | None = None
    """None: the path belongs to no API that is known here."""
    operation: Operation = "other"
    model: str | None = None
    """Only where the path names it (google)."""
    action: str | None = None
    """Google's verb after the colon, ``streamGenerateContent``."""
    suffix: str = ""
    """What follows the operation's own path, ``/batches/1`` or ``/count_tokens``; it survives a redirect."""
