"""What stands under ``hooks`` runs in a whole daemon: in its stage, with its parameters."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from tests.support.daemon import TIMEOUT_S, Daemon
from tests.support.upstream import Upstream, json

STAMP = """
from pydantic import BaseModel
from ccproxy.pipeline.hook import hook

class Params(BaseModel):
    header: str

@hook(reads=["ctx.path"], writes=["header"], model=Params)
def stamp(ctx, params):
    ctx.set_header(params.header, ctx.path)
"""
"""A hook of somebody's own: the path is the client's before the route is chosen, and the provider's after it."""


def test_hooks_run_in_their_stage_with_their_parameters(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "stamp.py").write_text(STAMP)
    hooks = {
        "inbound": ["inject_auth", {"hook": "own.stamp", "params": {"header": "x-before"}}],
        "outbound": [{"hook": "own.stamp", "params": {"header": "x-after"}}],
    }
    with Upstream.in_thread(json(200, {})) as upstream:
        provider = {"type": "anthropic", "base_url": upstream.origin, "path": "/provider"}
        with Daemon({"providers": {"p": provider}, "hooks": hooks}, environ={"PYTHONPATH": str(tmp_path)}) as daemon:
            ask = urllib.request.Request(f"{daemon.base}/v1/messages", b"{}", {"x-api-key": "sk-ant-oat-ccproxy-p"})
            urllib.request.urlopen(ask, timeout=TIMEOUT_S).close()
    (seen,) = upstream.requests
    assert (seen.path, seen.header("x-before"), seen.header("x-after")) == ("/provider", "/v1/messages", "/provider")
