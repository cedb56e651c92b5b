"""The attempt machine: a graph from the status of an answer to what is done about it.

``judge`` looks at the answer alone; each verdict that calls for action is a type of its own, a branch of the decision
and a step that acts on it. What needs a new reaction to a status adds those three, and nothing else changes.

A run costs a fraction of a millisecond, which is why only bad answers come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

from pydantic_graph import Graph, GraphBuilder, TypeExpression

from ccproxy.auth.placed import Placed
from ccproxy.upstream.attempt import Accept, Answer, Renewer, Resend


@dataclass(frozen=True, slots=True)
class Arrived:
    """An answer to judge."""

    answer: Answer
    attempt: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Verdict: the provider does not accept the credential that we sent, and we have not renewed it yet."""

    credential: Placed


class Step[T](Protocol):
    """What a step is given: pydantic_graph's ``StepContext``, whose own types mypy cannot read."""

    @property
    def inputs(self) -> T:
        """What the step before it returned."""

    @property
    def deps(self) -> Renewer:
        """What the run was given."""


async def judge(ctx: Step[Arrived]) -> Refused | Accept:
    """A 401 to our own credential is worth one renewal; anything else is the provider's word to the client."""
    match ctx.inputs:
        case Arrived(Answer(401, Placed() as credential), attempt=1):
            return Refused(credential)
        case _:
            return Accept()


async def renew(ctx: Step[Refused]) -> Resend | Accept:
    """Once more with a newer credential; without one the 401 stands."""
    refused = ctx.inputs.credential
    newer = await ctx.deps.renew(refused.provider, refused)
    return Accept() if newer is None else Resend(newer)


def _build() -> Graph:
    graph = GraphBuilder(
        name="attempt",
        state_type=type(None),
        deps_type=Renewer,
        input_type=Arrived,
        output_type=TypeExpression[Resend | Accept],  # type: ignore[misc]  # its generics, too
    )
    judging, renewing = graph.step(judge), graph.step(renew)
    graph.add(
        graph.edge_from(graph.start_node).label("status >= 400").to(judging),
        graph.edge_from(judging).to(
            graph.decision()
            .branch(graph.match(Refused).label("401 to our credential, first attempt").to(renewing))
            .branch(graph.match(Accept).label("anything else").to(graph.end_node))
        ),
        graph.edge_from(renewing).label("replay, or give the 401 through").to(graph.end_node),
    )
    return graph.build()


GRAPH = _build()


async def run(answer: Answer, attempt: int, deps: Renewer) -> Resend | Accept:
    """One walk through the graph."""
    return cast(Resend | Accept, await GRAPH.run(state=None, deps=deps, inputs=Arrived(answer, attempt)))


def draw() -> str:
    """The graph as a Mermaid state diagram."""
    return GRAPH.render(title="attempt", direction="LR")
