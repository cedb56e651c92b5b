"""Sources of an answer: ``groundingMetadata`` and ``citationMetadata`` of a candidate, and back.

A segment of the text is given in bytes of its UTF-8 (Gemini API reference, "Segment", "CitationSource"); ``Citation``
counts characters. Of what a search has found, ``groundingChunks`` are the sources and ``groundingSupports`` say which
segment rests on which of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ccproxy.lightllm.ending import count, mapping, word
from ccproxy.lightllm.events import Citation

type Json = Mapping[str, object]
type Source = tuple[str | None, str | None, str | None]
"""Address, title, and what it says."""


def read_citations(candidate: Json, text: str) -> Iterator[Citation]:
    """The sources that a candidate names for a text."""
    found = _Text(text)
    grounding = mapping(candidate.get("groundingMetadata"))
    sources = [_source(mapping(chunk)) for chunk in _list(grounding.get("groundingChunks"))]
    supports = _list(grounding.get("groundingSupports"))
    for support in map(mapping, supports):
        start, end = found.segment(mapping(support.get("segment")))
        for index in _list(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(sources):
                yield from _citation(sources[index], start, end)
    if not supports:
        for source in sources:
            yield from _citation(source, None, None)
    metadata = mapping(candidate.get("citationMetadata"))
    for cited in map(mapping, _list(metadata.get("citations")) or _list(metadata.get("citationSources"))):
        start, end = found.segment(cited)
        yield from _citation((word(cited.get("uri")), word(cited.get("title")), None), start, end)


def _citation(source: Source, start: int | None, end: int | None) -> Iterator[Citation]:
    url, title, quoted = source
    if url or title:
        yield Citation(url, title, quoted, start, end)


def _source(chunk: Json) -> Source:
    kept = mapping(chunk.get("retrievedContext"))
    of = kept or next((each for key in ("web", "maps", "image") if (each := mapping(chunk.get(key)))), {})
    url = of.get("uri") or of.get("sourceUri") or of.get("documentName") or of.get("fileSearchStore")
    title, said = of.get("title"), kept.get("text")
    return (
        url if isinstance(url, str) else None,
        title if isinstance(title, str) and title else None,
        said if isinstance(said, str) and said else None,
    )


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


class _Text:
    """A text in which segments are found."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._bytes = b"" if text.isascii() else text.encode("utf-8", "surrogatepass")

    def segment(self, segment: Json) -> tuple[int | None, int | None]:
        """First character and the one behind the last. A segment that tells its text is sought by that, too: after a
        provider's own tool has run, the numbers are not those of one block."""
        end = count(segment.get("endIndex"))
        start = self._place(count(segment.get("startIndex")) or 0)
        end = None if end is None else self._place(end)
        said = segment.get("text")
        if isinstance(said, str) and said and (end is None or self._text[start:end] != said):
            start = self._text.find(said)
            return (None, None) if start < 0 else (start, start + len(said))
        if end is None or not start < end <= len(self._text):
            return None, None
        return start, end

    def _place(self, offset: int) -> int:
        return len(self._bytes[:offset].decode("utf-8", "replace")) if self._bytes else offset


class Grounding:
    """``groundingMetadata`` of an answer that is being written.

    >>> grounding = Grounding()
    >>> grounding.cite("Ä is a letter.", [Citation("https://a.example", "A", start=0, end=1)])
    >>> grounding.metadata()["groundingSupports"]
    [{'segment': {'startIndex': 0, 'endIndex': 2, 'text': 'Ä'}, 'groundingChunkIndices': [0]}]
    """

    __slots__ = ("_chunks", "_supports")

    def __init__(self) -> None:
        self._chunks: dict[Source, int] = {}
        self._supports: dict[tuple[int, int, int], tuple[str, list[int]]] = {}

    def cite(self, text: str, citations: Sequence[Citation], *, offset: int = 0, part: int = 0) -> None:
        """The citations of a text that stands ``offset`` bytes behind the beginning of a part."""
        for citation in citations:
            if not (citation.url or citation.title):
                continue
            source = (citation.url, citation.title, None if citation.url else citation.quoted)
            index = self._chunks.setdefault(source, len(self._chunks))
            start, end = citation.start, citation.end
            if start is None or end is None or not 0 <= start < end <= len(text):
                start, end = 0, len(text)
            first = offset + _size(text[:start])
            segment = (part, first, first + _size(text[start:end]))
            _, indices = self._supports.setdefault(segment, (text[start:end], []))
            if index not in indices:
                indices.append(index)

    def metadata(self) -> dict[str, object]:
        """Empty if nothing is cited."""
        if not self._chunks:
            return {}
        return {
            "groundingChunks": [_chunk(source) for source in self._chunks],
            "groundingSupports": [
                {
                    "segment": {
                        **({"partIndex": part} if part else {}),
                        "startIndex": start,
                        "endIndex": end,
                        "text": text,
                    },
                    "groundingChunkIndices": indices,
                }
                for (part, start, end), (text, indices) in self._supports.items()
            ],
        }


def _chunk(source: Source) -> dict[str, object]:
    url, title, quoted = source
    if url:
        return {"web": {"uri": url, **({"title": title} if title else {})}}
    return {"retrievedContext": {"title": title, **({"text": quoted} if quoted else {})}}


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
