"""In which order hooks run.

Two hooks that touch a common key, one of them writing it, run in the order of the configuration's list. The rest is a
partial order: groups whose members do not concern one another. ``inbound`` ends before ``outbound`` begins.

A hook that reads what only a *later* hook makes can never see it; that is an error at start. It concerns the
attributes that hooks make (``ctx.session_id``): a header or a key of the body may come from the client, and a hook that
reads it before another one changes it is an ordinary thing to want.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Final, Literal

from ccproxy.errors import Problem
from ccproxy.pipeline.hook import Hook
from ccproxy.pipeline.keys import MADE, Key, overlap

type Stage = Literal["inbound", "outbound"]
STAGES: Final[tuple[Stage, ...]] = ("inbound", "outbound")


@dataclass(frozen=True, slots=True)
class Step:
    """A hook with its parameters."""

    hook: Hook
    params: object = None
    """An instance of the hook's model, or None."""

    @property
    def name(self) -> str:
        return self.hook.name


@dataclass(frozen=True, slots=True)
class Plan:
    """The hooks of one stage, ordered."""

    stage: Stage
    groups: tuple[tuple[Step, ...], ...] = ()
    """Each group needs those before it; within one, any order will do, and the list's is used."""
    edges: tuple[tuple[str, str], ...] = ()
    """Pairs (earlier, later) of hooks that touch a common key."""
    steps: tuple[Step, ...] = field(init=False)
    """All hooks in the order in which they run."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(step for group in self.groups for step in group))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Both stages."""

    inbound: Plan = Plan("inbound")
    outbound: Plan = Plan("outbound")
    warnings: tuple[Problem, ...] = ()
    """What of the configuration was skipped, and why."""

    @property
    def plans(self) -> tuple[Plan, Plan]:
        return self.inbound, self.outbound


def plan(stage: Stage, steps: Sequence[Step]) -> Plan:
    """Order the hooks of one stage. Their names differ."""
    edges = tuple(
        (earlier.name, later.name)
        for index, later in enumerate(steps)
        for earlier in steps[:index]
        if _concern(earlier.hook, later.hook)
    )
    graph: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(steps)), ()))
    position = {step.name: index for index, step in enumerate(steps)}
    for earlier, later in edges:
        graph.add(position[later], position[earlier])
    graph.prepare()
    groups = []
    while graph.is_active():
        ready = sorted(graph.get_ready())
        groups.append(tuple(steps[index] for index in ready))
        graph.done(*ready)
    return Plan(stage, tuple(groups), edges)


def check_reads(inbound: Sequence[Step], outbound: Sequence[Step]) -> list[Problem]:
    """One problem for every hook that reads what only later hooks make."""
    order = [(stage, step.hook) for stage, steps in zip(STAGES, (inbound, outbound), strict=True) for step in steps]
    problems = []
    for index, (stage, hook) in enumerate(order):
        for key in hook.reads:
            if not _is_made(key):
                continue
            writers = [place for place, (_, other) in enumerate(order) if _writes(other, key)]
            if writers and min(writers) > index:
                where, writer = order[writers[0]]
                problems.append(
                    Problem(
                        f"hooks.{stage}",
                        f"the hook {hook.name!r} reads {key}, which only {writer.name!r} ({where}) writes, and that "
                        f"runs later; list {writer.name!r} before {hook.name!r}",
                    )
                )
    return problems


def _concern(one: Hook, other: Hook) -> bool:
    return any(
        overlap(written, touched)
        for written, touched in [
            *((key, touched) for key in one.writes for touched in other.touches),
            *((key, touched) for key in other.writes for touched in one.touches),
        ]
    )


def _is_made(key: Key) -> bool:
    return (key.kind == "ctx" and key.parts[0] in MADE) or (
        # Nobody outside can send these: they are stripped on ingress.
        key.kind == "header" and bool(key.parts) and key.parts[0].startswith("x-ccproxy-")
    )


def _writes(hook: Hook, key: Key) -> bool:
    return any(overlap(written, key) for written in hook.writes)
