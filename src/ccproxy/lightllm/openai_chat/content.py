"""The content of a message: a string, or a list of parts (API reference, "Chat Completions", "messages").

========================  =========================================================================================
part                      is read as
========================  =========================================================================================
``text``                  text; ``input_text`` and ``output_text``, which are Responses' words, too
``refusal``               text of a refusal
``image_url``             a file; its URL is one, or a data URL, or bare base64. ``video_url``, ``audio_url`` likewise
``input_audio``           a file of base64 and a format
``file``                  a file: ``file_data``, a data URL or bare base64, or ``file_id``
``thinking``              thoughts, as Mistral writes them
``reference`` and others  opaque
========================  =========================================================================================

Compatible servers and clients write more than the reference has; all of that was seen by 2026-11.

>>> read_content("hi", "messages.0.content")
(Text(text='hi', cache=None, signature=None, refusal=False, at='messages.0.content'),)
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.openai_chat.fields import Fields, bad, name_at, object_at, string_at
from ccproxy.lightllm.openai_files import ALIASES, ENDINGS, KINDS, NAMES, Kind, split_data_url
from ccproxy.lightllm.prompt import CacheMark, File, Opaque, Text, Thought

type Content = Text | File | Thought | Opaque

_TEXTS: Final = frozenset({"text", "input_text", "output_text"})
_URLS: Final[dict[str, Kind]] = {
    "image_url": "image",
    "input_image": "image",
    "audio_url": "audio",
    "video_url": "video",
    "input_video": "video",
}
_FORMATS: Final = {"audio/mpeg": "mp3", "audio/wave": "wav"}


def read_content(content: object, at: str) -> tuple[Content, ...]:
    """The parts of a message's content. Empty text is none."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content, at=at),) if content else ()
    if not isinstance(content, list):
        raise bad(at, "a string or a list of parts is expected here")
    parts = (read_part(part, f"{at}.{index}") for index, part in enumerate(content))
    return tuple(part for part in parts if not (isinstance(part, Text) and not part.text))


def read_part(value: object, at: str) -> Content:
    """One part of a list. A bare string, which some clients send, is text."""
    if isinstance(value, str):
        return Text(value, at=at)
    part = object_at(value, at)
    kind = string_at(part.get("type", "text" if "text" in part else None), f"{at}.type")
    if kind in _TEXTS:
        return Text(string_at(part.get("text"), f"{at}.text"), cache_mark(part), at=at)
    if kind in _URLS:
        return _linked(part, _URLS[kind], at)
    return _READERS[kind](part, at) if kind in _READERS else Opaque(Dialect.OPENAI, kind, part, at)


def thinking_text(value: object) -> str:
    """The text of a ``thinking`` part: a string or a list of text parts."""
    if not isinstance(value, list):
        return value if isinstance(value, str) else ""
    texts = (each.get("text") if isinstance(each, dict) else each for each in value)
    return "".join(text for text in texts if isinstance(text, str))


def cache_mark(part: Fields) -> CacheMark | None:
    """OpenRouter's ``cache_control``, which is Anthropic's, or OpenAI's ``prompt_cache_breakpoint``."""
    if isinstance(control := part.get("cache_control"), dict):
        ttl = control.get("ttl")
        return CacheMark("5m" if ttl == "5m" else "1h" if ttl == "1h" else None)
    return CacheMark() if isinstance(part.get("prompt_cache_breakpoint"), dict) else None


def _linked(part: Fields, kind: Kind, at: str) -> File:
    key = next((key for key in ("image_url", "audio_url", "video_url") if part.get(key) is not None), "image_url")
    link, path = part.get(key), f"{at}.{key}"
    detail = part.get("detail")
    if isinstance(link, dict):
        detail = link.get("detail", detail)
        link, path = link.get("url"), f"{path}.url"
    return _file(
        kind, name_at(link, path), at, detail=detail if isinstance(detail, str) else None, cache=cache_mark(part)
    )


def _recorded(part: Fields, at: str) -> File:
    audio = object_at(part.get("input_audio"), f"{at}.input_audio")
    given = name_at(audio.get("format") or "wav", f"{at}.input_audio.format").lower()
    mime = f"audio/{given}"
    data = name_at(audio.get("data"), f"{at}.input_audio.data")
    return _file("audio", data, at, mime=ALIASES.get(mime, mime), cache=cache_mark(part))


def _attached(part: Fields, at: str) -> File:
    nested = part.get("file")
    file, path = (object_at(nested, f"{at}.file"), f"{at}.file") if nested is not None else (part, at)
    name, cache = file.get("filename"), cache_mark(part)
    name = name if isinstance(name, str) and name else None
    if (data := file.get("file_data") or file.get("file_url")) is not None:
        mime = ENDINGS.get(name.rpartition(".")[2].lower()) if name else None
        return _file("document", name_at(data, f"{path}.file_data"), at, mime=mime, name=name, cache=cache)
    return File("document", file_id=name_at(file.get("file_id"), f"{path}.file_id"), name=name, cache=cache, at=at)


def _file(
    kind: Kind,
    source: str,
    at: str,
    *,
    mime: str | None = None,
    name: str | None = None,
    detail: str | None = None,
    cache: CacheMark | None = None,
) -> File:
    """A data URL, another URL, or bare base64. What the data URL says it is counts more than where it stands."""
    if source[:5].lower() == "data:":
        said, data = split_data_url(source)
        mime = said or mime
        if mime is not None:
            kind = KINDS.get(mime.partition("/")[0], "document")
    elif "://" in source[:32]:
        return File(kind, mime, url=source, name=name, detail=detail, cache=cache, at=at)
    else:
        data = source
    if mime is None and kind == "document":
        mime = "application/pdf"  # all that the reference knows
    return File(kind, mime, data, name=name, detail=detail, cache=cache, at=at)


def _refusal(part: Fields, at: str) -> Text:
    return Text(string_at(part.get("refusal"), f"{at}.refusal"), refusal=True, at=at)


def _thought(part: Fields, at: str) -> Thought:
    return Thought(thinking_text(part.get("thinking")), at=at)


_READERS: Final[dict[str, Callable[[Fields, str], Content]]] = {
    "refusal": _refusal,
    "input_audio": _recorded,
    "file": _attached,
    "input_file": _attached,
    "thinking": _thought,
}


def write_content(parts: Sequence[Text | File]) -> str | list[dict[str, object]]:
    """Text alone as one string, which every server takes, with a paragraph for each part; else a list of parts."""
    texts = [text_of(part) for part in parts]
    if None in texts:
        return [write_part(part) for part in parts]
    return joined(parts)


def joined(parts: Iterable[Text | File]) -> str:
    """The texts of a message, a paragraph each. What is no text is left out."""
    return "\n\n".join(text for part in parts if (text := text_of(part)) is not None)


def text_of(part: Text | File) -> str | None:
    """Text, and what can be said as text: most servers read no files, and those that do read PDF."""
    if isinstance(part, Text):
        return part.text
    text = part.text
    if text is None and part.data is not None and part.mime is not None and part.mime.startswith("text/"):
        try:
            text = base64.b64decode(part.data).decode()
        except ValueError:
            return None
    return f"{part.name}\n\n{text}" if text is not None and part.name else text


def write_part(part: Text | File) -> dict[str, object]:
    """One part of a list."""
    if (text := text_of(part)) is not None:
        return {"type": "text", "text": text}
    assert isinstance(part, File)
    if part.kind == "image" and part.file_id is None:
        link = {"url": part.url or f"data:{part.mime or 'image/png'};base64,{part.data}"}
        return {"type": "image_url", "image_url": {**link, "detail": part.detail} if part.detail else link}
    if part.data is None or part.kind in ("image", "video"):
        raise bad(part.at, f"this {part.kind} cannot be sent to Chat Completions")  # loss.LOSS refuses it before
    if part.kind == "audio":
        mime = part.mime or "audio/wav"
        form = _FORMATS.get(mime) or mime.partition("/")[2].removeprefix("x-")
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}
    mime = part.mime or "application/pdf"
    name = part.name or NAMES.get(mime, "document")
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{mime};base64,{part.data}"}}
