"""The pipeline as a picture: text for the terminal, mermaid for everything else.

>>> print(text(Plan("inbound", ((Step(inject_auth),), (Step(extract_session_id),)))))
inbound
  1  inject_auth         header:x-api-key … → ctx.sentinel …   cannot be switched off
  2  extract_session_id  body.metadata.user_id … → ctx.session_id
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ccproxy.pipeline.keys import Key
from ccproxy.pipeline.plan import Pipeline, Plan

SHOWN_KEYS = 3
"""So many keys of a hook are shown in the text; the rest are an ellipsis."""


def text(plan: Plan) -> str:
    """One line for each hook; the number is its group: hooks of one group do not concern one another."""
    width = max((len(step.name) for step in plan.steps), default=0)
    lines: list[str] = [plan.stage]
    for number, group in enumerate(plan.groups, 1):
        for step in group:
            hook = step.hook
            line = f"  {number}  {hook.name:{width}}  {_keys(hook.reads)} → {_keys(hook.writes)}"
            lines.append(f"{line}   cannot be switched off" if hook.critical else line)
    return "\n".join(lines if plan.steps else [*lines, "  (no hooks)"])


def mermaid(pipeline: Pipeline) -> str:
    """One state diagram for each stage; an arrow from a hook to one that must run after it."""
    return "\n".join(_diagram(plan) for plan in pipeline.plans)


def _diagram(plan: Plan) -> str:
    names = [step.name for step in plan.steps]
    edges = _reduced(plan.edges)
    targets = {later for _, later in edges}
    sources = {earlier for earlier, _ in edges}
    lines = ["---", f"title: {plan.stage}_dag", "---", "stateDiagram-v2", "  direction LR"]
    lines += [f"  {name}" for name in names]
    lines += [f"  [*] --> {name}" for name in names if name not in targets]
    lines += [f"  {earlier} --> {later}" for earlier, later in edges]
    lines += [f"  {name} --> [*]" for name in names if name not in sources]
    return "\n".join(lines)


def _reduced(edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the edges that a longer way says already."""
    after: dict[str, set[str]] = {}
    for earlier, later in reversed(edges):  # sorted by the later hook, so all that follows `later` is known
        after.setdefault(earlier, set()).update({later}, after.get(later, ()))
    return [
        (earlier, later)
        for earlier, later in edges
        if not any(later in after.get(middle, ()) for start, middle in edges if start == earlier)
    ]


def _keys(keys: Iterable[Key]) -> str:
    names = [str(key) for key in keys]
    shown = ", ".join(names[:SHOWN_KEYS])
    return f"{shown} …" if len(names) > SHOWN_KEYS else shown or "-"
