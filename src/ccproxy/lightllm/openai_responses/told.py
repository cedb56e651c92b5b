"""The values of a provider's answer, checked: null is as good as nothing, anything else of the wrong type is Malformed.

>>> string(None), array([{"type": "message"}]), number(None)
(None, [{'type': 'message'}], 0)
"""

from __future__ import annotations

from ccproxy.lightllm.ending import mapping
from ccproxy.lightllm.events import Citation

type Fields = dict[str, object]


class Malformed(Exception):
    """This is not of the dialect's shape."""


def fields(value: object) -> Fields:
    """An object."""
    if isinstance(value, dict):
        return value
    raise Malformed("there is something else where an object is expected")


def string(value: object) -> str | None:
    """A string, or None for null."""
    if value is None or isinstance(value, str):
        return value
    raise Malformed("there is something else where a text is expected")


def array(value: object) -> list[Fields]:
    """The objects of a list, or none for null."""
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return value
    raise Malformed("there is something else where a list of objects is expected")


def number(value: object) -> int:
    """An index; the servers that leave it out tell one thing after the other."""
    if value is None:
        return 0
    if isinstance(value, int) and value >= 0:
        return value
    raise Malformed("there is something else where an index is expected")


def citation_of(annotation: Fields) -> Citation | None:
    """A web page, or a file of the provider's, of which there is only the name."""
    kind = annotation.get("type")
    if kind == "url_citation":
        fields = mapping(annotation.get("url_citation")) or annotation  # Chat's is one level deeper
        url, title = string(fields.get("url")), string(fields.get("title"))
        return Citation(url, title, None, _offset(fields.get("start_index")), _offset(fields.get("end_index")))
    if kind in ("file_citation", "container_file_citation"):
        at = _offset(annotation.get("index"))
        start, end = _offset(annotation.get("start_index")), _offset(annotation.get("end_index"))
        return Citation(None, string(annotation.get("filename")), None, at if start is None else start, end)
    return None


def _offset(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
