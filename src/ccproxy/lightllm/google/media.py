"""Types of files: what the Gemini API must be told, and other APIs leave to be guessed.

>>> guess("https://example.com/a/cat.PNG?size=2"), kind_of("application/pdf"), sniff("JVBERi0xLjQK")
('image/png', 'document', 'application/pdf')
"""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import urlsplit

type Kind = Literal["image", "audio", "video", "document"]

USUAL: Final[dict[Kind, str]] = {
    "image": "image/jpeg",
    "audio": "audio/mpeg",
    "video": "video/mp4",
    "document": "application/pdf",
}
"""The type of a file that does not show it."""

# Gemini API, "Image understanding", "Audio", "Video", "Document processing": the types that it takes.
_BY_ENDING: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "bmp": "image/bmp",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "aiff": "audio/aiff",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/m4a",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "flv": "video/x-flv",
    "webm": "video/webm",
    "wmv": "video/x-ms-wmv",
    "3gp": "video/3gpp",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "htm": "text/html",
    "css": "text/css",
    "csv": "text/csv",
    "xml": "text/xml",
    "json": "application/json",
}
_BY_BEGINNING: Final = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "JVBERi": "application/pdf",
}
"""base64 of the first bytes."""
_TEXTUAL: Final = frozenset({"application/json", "application/xml", "application/javascript", "application/x-yaml"})
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9+/]+")
_YOUTUBE: Final = ("youtube.com", "youtu.be")


def guess(url: str) -> str | None:
    """The type that an address shows by its ending; None if it shows none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    if host in _YOUTUBE:
        return "video/mp4"
    return _BY_ENDING.get(parts.path.rpartition(".")[2].lower())


def sniff(data: str) -> str | None:
    """The type that a file's first bytes show."""
    return next((mime for beginning, mime in _BY_BEGINNING.items() if data.startswith(beginning)), None)


def kind_of(mime: str) -> Kind:
    """Which kind of file a type is of."""
    match mime.partition("/")[0].lower():
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
        case _:
            return "document"


def is_text(mime: str) -> bool:
    """Whether a document of this type is read as text."""
    bare = mime.partition(";")[0].strip().lower()
    return bare.startswith("text/") or bare in _TEXTUAL


def standard(data: str) -> str:
    """base64 in the standard alphabet, padded and without white space, as every API takes it.

    google-genai writes the alphabet for URLs (3.4.0).

    >>> standard("-_8"), standard("AA A\\n=")
    ('+/8=', 'AAA=')
    """
    if len(data) % 4 or data.encode("ascii", "replace").translate(None, _ALPHABET) not in (b"", b"=", b"=="):
        data = _FOREIGN.sub("", data.replace("-", "+").replace("_", "/"))
        data += "=" * (-len(data) % 4)
    return data
