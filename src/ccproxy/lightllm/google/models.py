"""What a Gemini model's name says of it. Of a name that says nothing, the newest generation's rules hold.

>>> generation("gemini-2.5-flash"), generation("publishers/google/models/gemini-3-pro-preview"), generation("tuned-7")
((2, 5), (3, 0), (99, 0))
"""

from __future__ import annotations

import re
from typing import Final, Literal

NEWEST: Final = (99, 0)
_NAME: Final = re.compile(r"(?:^|[/-])gemini-(\d{1,2})(?:\.(\d{1,2}))?(?![\d.])")


def generation(model: str) -> tuple[int, int]:
    """Major and minor number."""
    found = _NAME.search(model)
    return NEWEST if found is None else (int(found[1]), int(found[2] or 0))


def thinking_style(model: str) -> Literal["none", "budget", "level"]:
    """How thinking is asked for; ``none``: a model that refuses to be asked (Gemini API, "Thinking", seen 2026-11)."""
    if "gemma" in model:
        return "none"
    number = generation(model)
    if number < (2, 5) or (number < (3, 0) and ("-image" in model or "-tts" in model)):
        return "none"
    return "budget" if number < (3, 0) else "level"


def takes_schema_with_tools(model: str) -> bool:
    """Whether a request may hold both functions and the answer's schema. Before Gemini 3 that is refused."""
    return generation(model) >= (3, 0)


def output_limit(model: str) -> int | None:
    """Most ``maxOutputTokens``; Vertex AI answers 400 to more (the models' pages, seen 2026-11). None: not known."""
    number = generation(model)
    if number == NEWEST or number >= (4, 0):
        return None
    return 65535 if number >= (2, 5) else 8192  # "from 1 (inclusive) to 65536 (exclusive)"


def shows_files_in_results(model: str) -> bool:
    """Whether ``functionResponse`` takes ``parts`` (Gemini API, "Multimodal function responses")."""
    return generation(model) >= (3, 0)
