"""The typed view of a body, as attributes of Context: read at the first touch, written back when the hook ends.

The lists and their objects may be changed in place or replaced::

    ctx.messages.pop(0)
    ctx.system = [*ctx.system, SystemPromptPart("Be brief.")]

A raw write (``ctx.extras.set``) first stores what the view says and then ends it: ask for ``ctx.messages`` anew. The
first touch in a process imports pydantic-ai, which takes 0.6 s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ccproxy.lightllm.dialect import Dialect

if TYPE_CHECKING:
    from ccproxy.pipeline.context import Context

type Load[T] = Callable[[Dialect, dict[str, object]], list[T]]
type Store[T] = Callable[[Dialect, bytes, Sequence[T]], bytes]


class Part[T]:
    """One list of the view. Without a JSON object, or in no known wire format, it is empty."""

    def __init__(self, load: Load[T], store: Store[T]) -> None:
        self.load = load
        self.store = store

    def __set_name__(self, owner: type[Context], name: str) -> None:
        self.name = name

    def __get__(self, ctx: Context, owner: type[Context]) -> list[T]:
        return ctx.read_view(self)

    def __set__(self, ctx: Context, items: Sequence[T]) -> None:
        ctx.put_view(self, items)
