"""HTTP header fields as they are on the wire: ordered, repeated, case kept.

The storage is the tuple of byte pairs that mitmproxy uses, so a request's headers are shared until somebody
writes (``fields`` is then a new tuple, and the identity tells that there was a write).

>>> h = Headers(((b"X-Api-Key", b"k"), (b"Accept", b"*/*")))
>>> h.get("x-api-key")
'k'
>>> h.set("accept", "text/plain"); h.fields[1]
(b'Accept', b'text/plain')
"""

from __future__ import annotations

from collections.abc import Iterator

from ccproxy.errors import BadRequest

type Fields = tuple[tuple[bytes, bytes], ...]


class Headers:
    """A case-insensitive view over ``fields``. Names and values are latin-1 text (RFC 9110 §5.5)."""

    __slots__ = ("fields",)

    def __init__(self, fields: Fields = ()) -> None:
        self.fields = fields

    def get(self, name: str, default: str = "") -> str:
        """The first value, or ``default``."""
        key = name.lower().encode("latin-1")
        for field, value in self.fields:
            if field.lower() == key:
                return value.decode("latin-1")
        return default

    def get_all(self, name: str) -> list[str]:
        """Every value in order."""
        key = name.lower().encode("latin-1")
        return [value.decode("latin-1") for field, value in self.fields if field.lower() == key]

    def set(self, name: str, value: str) -> None:
        """Replace every field of this name by one, at the place and in the spelling of the first; append if none.

        Raises BadRequest for a name or value that would break the message (CR, LF, NUL): no header that a hook
        or a credential writes can smuggle another (RFC 9110 §5.5, RFC 9112 §11.1).
        """
        key, data = encode_field(name, value)
        out: list[tuple[bytes, bytes]] = []
        placed = False
        for field in self.fields:
            if field[0].lower() != key.lower():
                out.append(field)
            elif not placed:
                out.append((field[0], data))
                placed = True
        if not placed:
            out.append((key, data))
        self.fields = tuple(out)

    def remove(self, *names: str) -> None:
        """Drop every field with one of these names."""
        keys = {name.lower().encode("latin-1") for name in names}
        if any(field.lower() in keys for field, _ in self.fields):
            self.fields = tuple(f for f in self.fields if f[0].lower() not in keys)

    def __contains__(self, name: str) -> bool:
        key = name.lower().encode("latin-1")
        return any(field.lower() == key for field, _ in self.fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.fields)

    def __len__(self) -> int:
        return len(self.fields)


def encode_field(name: str, value: str) -> tuple[bytes, bytes]:
    """One header as wire bytes. Raises BadRequest for CR, LF, NUL or a character outside latin-1."""
    if not name or any(c in "\r\n\0: " for c in name) or any(c in "\r\n\0" for c in value):
        raise BadRequest(f"header {name!r} holds a character that HTTP does not allow; nothing was sent")
    try:
        return name.encode("latin-1"), value.encode("latin-1")
    except UnicodeEncodeError:
        raise BadRequest(f"header {name!r} holds a character outside latin-1; nothing was sent") from None
