"""Files in OpenAI's two APIs: their types by the ends of their names, and the data URLs that they stand in.

>>> split_data_url("data:image/jpg;base64,AAAA"), split_data_url("data:,hi")
(('image/jpeg', 'AAAA'), (None, 'aGk='))
"""

from __future__ import annotations

import base64
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

type Kind = Literal["image", "audio", "video", "document"]

KINDS: Final[dict[str, Kind]] = {"image": "image", "audio": "audio", "video": "video"}
"""By the first half of a media type; any other is a document."""
ALIASES: Final = {"image/jpg": "image/jpeg", "audio/mp3": "audio/mpeg", "audio/x-wav": "audio/wav"}
"""Media types by their registered names."""
ENDINGS: Final = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
"""Media types of documents."""
NAMES: Final = {mime: f"document.{ending}" for ending, mime in ENDINGS.items()}
"""Names for documents that have none."""


def split_data_url(url: str) -> tuple[str | None, str]:
    """Media type and base64 of a data URL (RFC 2397)."""
    head, _, data = url[len("data:") :].partition(",")
    mime, *parameters = (each.strip() for each in head.lower().split(";"))
    if "base64" not in parameters:
        data = base64.b64encode(unquote_to_bytes(data)).decode("ascii")
    return ALIASES.get(mime, mime) or None, data
