"""Parts of a message and of a tool's output, in both directions (OpenAI API reference, "Responses", ``input``).

=====================  ============================================================================================
part                   is read as
=====================  ============================================================================================
``input_text``         text; ``output_text`` and ``text``, which clients mix up with it, too
``refusal``            the text of a refusal
``input_image``        a picture: ``image_url``, which is a URL or a data URL, or ``file_id``
``input_file``         a document, or what the type of its data says: ``file_data``, ``file_url`` or ``file_id``
``input_audio``        a recording: base64 and a format
any other              opaque
=====================  ============================================================================================

>>> read_content("hi", "input.0.content")
(Text(text='hi', cache=None, signature=None, refusal=False, at='input.0.content'),)
>>> write_part(File("image", "image/png", "iVBORw=="))
{'type': 'input_image', 'image_url': 'data:image/png;base64,iVBORw==', 'detail': 'auto'}
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Final

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.openai_files import ALIASES, ENDINGS, KINDS, NAMES, split_data_url
from ccproxy.lightllm.openai_responses.fields import Fields, bad, fields_at, maybe, name_at, want
from ccproxy.lightllm.prompt import CacheMark, File, Opaque, Text

type Content = Text | File | Opaque

_TEXTS: Final = frozenset({"input_text", "output_text", "text"})
_FORMATS: Final = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wave": "wav", "audio/x-wav": "wav"}


def read_content(content: object, at: str) -> tuple[Content, ...]:
    """A string, or a list of parts. Empty text is none."""
    return tuple(_parts(content, at))


def _parts(content: object, at: str) -> Iterator[Content]:
    if isinstance(content, str):
        if content:
            yield Text(content, at=at)
        return
    if not isinstance(content, list):
        raise bad(at, "a string or a list of parts is expected here")
    for index, part in enumerate(content):
        read = read_part(fields_at(part, f"{at}.{index}"), f"{at}.{index}")
        if not isinstance(read, Text) or read.text:
            yield read


def read_part(part: Fields, at: str) -> Content:
    """One part of a list."""
    kind = name_at(part.get("type"), f"{at}.type")
    if kind in _TEXTS:
        return Text(want(part.get("text"), str, f"{at}.text"), _mark(part), at=at)
    match kind:
        case "refusal":
            return Text(want(part.get("refusal"), str, f"{at}.refusal"), refusal=True, at=at)
        case "input_image":
            return _image(part, at)
        case "input_file":
            return _file(part, at)
        case "input_audio":
            audio = fields_at(part.get("input_audio"), f"{at}.input_audio")
            mime = f"audio/{name_at(audio.get('format'), f'{at}.input_audio.format').lower()}"
            data = name_at(audio.get("data"), f"{at}.input_audio.data")
            return File("audio", ALIASES.get(mime, mime), data, at=at)
        case _:
            return Opaque(Dialect.OPENAI_RESPONSES, kind, part, at)


def _image(part: Fields, at: str) -> File:
    detail, mark = maybe(part, "detail", str, at), _mark(part)
    if part.get("image_url") is None:
        return File("image", file_id=name_at(part.get("file_id"), f"{at}.image_url"), detail=detail, cache=mark, at=at)
    url = name_at(part["image_url"], f"{at}.image_url")
    if url[:5].lower() != "data:":
        return File("image", url=url, detail=detail, cache=mark, at=at)
    mime, data = split_data_url(url)
    return File("image", mime, data, detail=detail, cache=mark, at=at)


def _file(part: Fields, at: str) -> File:
    name, mark = maybe(part, "filename", str, at), _mark(part)
    if part.get("file_data") is None:
        if part.get("file_url") is not None:
            url = name_at(part["file_url"], f"{at}.file_url")
            return File("document", url=url, name=name, cache=mark, at=at)
        return File("document", file_id=name_at(part.get("file_id"), f"{at}.file_data"), name=name, cache=mark, at=at)
    data = name_at(part["file_data"], f"{at}.file_data")
    mime: str | None = None
    if data[:5].lower() == "data:":
        mime, data = split_data_url(data)
    if mime in (None, "application/octet-stream"):
        mime = ENDINGS.get((name or "").rpartition(".")[2].lower(), "application/pdf")
    kind = KINDS.get(mime.partition("/")[0], "document")
    if mime == "text/plain" and (text := _plain(data)) is not None:
        return File("document", mime, text=text, name=name, cache=mark, at=at)
    return File(kind, mime, data, name=name, cache=mark, at=at)


def _plain(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _mark(part: Fields) -> CacheMark | None:
    """``prompt_cache_breakpoint``; what outlives five minutes is the long mark."""
    mark = part.get("prompt_cache_breakpoint")
    if not isinstance(mark, dict):
        return None
    return CacheMark("1h" if mark.get("ttl") in ("30m", "12h") else None)


def write_content(parts: Sequence[Text | File]) -> list[dict[str, object]]:
    """The parts of what is not the assistant's."""
    return [write_part(part) for part in parts]


def write_output(parts: Sequence[Content]) -> str | list[dict[str, object]]:
    """A tool's output: one text as a string, else a list of parts."""
    content = [part for part in parts if not isinstance(part, Opaque)]
    if any(isinstance(part, File) and part.kind == "audio" for part in content):
        raise bad(content[0].at, "sound in a tool's result cannot be translated to openai_responses")
    if not content:
        return ""
    if len(content) == 1 and isinstance(content[0], Text):
        return content[0].text
    return write_content(content)


def write_part(part: Text | File) -> dict[str, object]:
    """One part of what is not the assistant's."""
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if part.kind == "image":
        url = part.url or f"data:{part.mime or 'image/png'};base64,{part.data}"
        return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
    if part.kind == "audio" and part.data is not None:
        mime = part.mime or "audio/wav"
        form = _FORMATS.get(mime) or mime.partition("/")[2]
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}
    if part.kind != "document":
        raise bad(part.at, f"{part.kind} cannot be translated to openai_responses")  # loss.LOSS refuses it before
    if part.url is not None:
        return {"type": "input_file", "file_url": part.url}
    if part.text is not None:
        mime = "text/plain"
        data = base64.b64encode(part.text.encode("utf-8", "replace")).decode("ascii")
    else:
        mime, data = part.mime or "application/pdf", part.data or ""
    name = part.name or NAMES.get(mime, "document")
    return {"type": "input_file", "filename": name, "file_data": f"data:{mime};base64,{data}"}
