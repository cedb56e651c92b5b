from __future__ import annotations

from ccproxy.config.hooks import entries
from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import hook
from ccproxy.pipeline.load import load
from ccproxy.pipeline.plan import Pipeline, Plan
from ccproxy.pipeline.render import mermaid, text
from tests.pipeline.ask import planned


@hook(writes=["body.x"])
def first(ctx: Context, params: object) -> None: ...


@hook(reads=["body.x"], writes=["body.y", "body.x"])
def second(ctx: Context, params: object) -> None: ...


@hook(reads=["body.x", "body.y"])
def third(ctx: Context, params: object) -> None: ...


@hook(reads=["header:a", "header:b", "header:c", "header:d"], critical=True)
def alone(ctx: Context, params: object) -> None: ...


def test_mermaid_draws_a_diagram_for_each_stage() -> None:
    drawn = mermaid(Pipeline(planned(first, second, third, alone), Plan("outbound")))
    assert drawn == (
        "---\ntitle: inbound_dag\n---\nstateDiagram-v2\n  direction LR\n"
        "  first\n  alone\n  second\n  third\n"
        "  [*] --> first\n  [*] --> alone\n"
        "  first --> second\n  second --> third\n"  # not first --> third: that is said already
        "  alone --> [*]\n  third --> [*]\n"
        "---\ntitle: outbound_dag\n---\nstateDiagram-v2\n  direction LR"
    )


def test_text_shows_groups_and_keys() -> None:
    assert text(planned(first, second, alone)) == (
        "inbound\n"
        "  1  first   - → body.x\n"
        "  1  alone   header:a, header:b, header:c … → -   cannot be switched off\n"
        "  2  second  body.x → body.y, body.x"
    )
    assert text(Plan("outbound")) == "outbound\n  (no hooks)"


def test_the_built_in_hooks_can_be_drawn() -> None:
    pipeline = load(entries("inject_auth", "extract_session_id"), entries("verbose_mode", "commitbee_compat"))
    assert "  [*] --> inject_auth" in mermaid(pipeline)
    assert "cannot be switched off" in text(pipeline.inbound)
