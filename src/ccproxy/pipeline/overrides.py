"""One request's own word on hooks: ``x-ccproxy-hooks: +a,-b,c``.

``-b`` skips the hook; ``+a``, or plain ``c``, runs it although its guard says no. It cannot add a hook that the
configuration does not list, nor touch one that guards credentials or routing, and in a jail it is not read at all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ccproxy.headers import Headers
from ccproxy.pipeline.plan import Pipeline

HEADER: Final = "x-ccproxy-hooks"


@dataclass(frozen=True, slots=True)
class Overrides:
    """Names of hooks."""

    forced: Collection[str] = ()
    skipped: Collection[str] = ()


NONE: Final = Overrides()


def take(headers: Headers, pipeline: Pipeline, *, jailed: bool) -> tuple[Overrides, list[str]]:
    """Remove the header and give what it says, and warnings for what of it does not apply."""
    values = headers.get_all(HEADER)
    if not values:
        return NONE, []
    headers.remove(HEADER)
    if jailed:
        return NONE, [f"{HEADER} is ignored in a jail"]
    hooks = {step.name: step.hook for plan in pipeline.plans for step in plan.steps}
    forced: set[str] = set()
    skipped: set[str] = set()
    warnings = []
    for word in (word.strip() for value in values for word in value.split(",")):
        name = word.lstrip("+-").strip()
        if not name:
            continue
        if name not in hooks:
            warnings.append(f"{HEADER} names {name[:80]!r}, which is not among the configured hooks")
        elif hooks[name].critical:
            warnings.append(f"{HEADER} cannot change {name!r}: it guards credentials or routing")
        else:
            (skipped if word.startswith("-") else forced).add(name)
    return Overrides(forced, skipped), warnings
