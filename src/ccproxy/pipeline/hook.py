"""The decorator that makes a function a hook.

::

    class TaggingParams(BaseModel):
        team: str

    def tagging_guard(ctx: Context) -> bool:              # optional, found by its name
        return ctx.listener == "reverse"

    @hook(reads=["body.metadata"], writes=["body.metadata.team"], model=TaggingParams)
    def tagging(ctx: Context, params: TaggingParams) -> None:
        ctx.extras.set("metadata.team", params.team)

``reads`` and ``writes`` decide the order (``pipeline.plan``); their grammar is in ``pipeline.keys``. A module may hold
several hooks; one entry of the configuration loads all of them, in the order in which they are written.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ccproxy.pipeline.keys import Key, parse

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ccproxy.pipeline.context import Context

type Guard = Callable[[Context], bool]


class HookFunction[P](Protocol):
    """What the decorator takes: a function of context and parameters. It returns the context, or nothing."""

    __name__: str

    def __call__(self, ctx: Context, params: P, /) -> Context | None: ...


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook, as its module defines it."""

    name: str
    run: Callable[[Context, object], Context | None] = field(repr=False)
    module: str
    reads: tuple[Key, ...] = ()
    writes: tuple[Key, ...] = ()
    guard: Guard | None = field(default=None, repr=False)
    """Whether to run for this request; None: always."""
    model: type[BaseModel] | None = None
    """Schema of its parameters; an instance of it is the second argument. None: there are no parameters."""
    critical: bool = False
    """It guards credentials or routing: an error in it ends the request, and no header switches it off."""

    @property
    def needs_json(self) -> bool:
        """Whether it can do nothing without a JSON body: it writes in one, or reads nothing else."""
        return any(key.in_body for key in self.writes) or (bool(self.reads) and all(key.in_body for key in self.reads))

    @property
    def touches(self) -> tuple[Key, ...]:
        return self.reads + self.writes

    def __call__(self, ctx: Context, params: object = None) -> Context | None:
        return self.run(ctx, params)


def hook[P](
    *,
    reads: Iterable[str] = (),
    writes: Iterable[str] = (),
    guard: Guard | None = None,
    model: type[BaseModel] | None = None,
    critical: bool = False,
) -> Callable[[HookFunction[P]], Hook]:
    """Make a function a hook. Raises ValueError for a key that cannot be read, TypeError for a coroutine function."""

    def decorate(function: HookFunction[P]) -> Hook:
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"hook {function.__name__!r} is a coroutine function; hooks run between two awaits")
        namespace: dict[str, object] = getattr(function, "__globals__", {})
        named = namespace.get(f"{function.__name__}_guard")
        return Hook(
            name=function.__name__,
            run=function,  # type: ignore[arg-type]  # P is what `model` makes, which load.bind gives it
            module=function.__module__,
            reads=tuple(map(parse, reads)),
            writes=tuple(map(parse, writes)),
            guard=guard or (named if callable(named) else None),
            model=model,
            critical=critical,
        )

    return decorate
