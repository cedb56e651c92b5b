"""A client that comes before the listener runs waits, and is answered. Nothing here tries twice."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, closing

import pytest

from tests.clients.gateway import DIRECT
from tests.clients.program import Home
from tests.clients.providers import SDK_ANTHROPIC
from tests.clients.stack import Stack
from tests.clients.test_sdks import judge, sdk
from tests.clients.toolbox import Toolbox

type NewHome = Callable[..., Home]
type NewStack = Callable[..., AbstractContextManager[Stack]]

pytestmark = pytest.mark.skipif(DIRECT, reason="there is no listener")

PROVIDER = SDK_ANTHROPIC["python-current"]
PING = {"model": "claude-sonnet-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "PONGTEST"}]}


def test_the_first_request_starts_the_listener(new_stack: NewStack, toolbox: Toolbox, home: NewHome) -> None:
    with new_stack("systemd-socket-activate", wait=False) as stack:
        assert stack.daemon is not None
        assert stack.daemon.running("listener") is None
        environ = {"ANTHROPIC_BASE_URL": stack.origin, "ANTHROPIC_API_KEY": PROVIDER.sentinel}
        judge(sdk(stack, toolbox, home(), "python-current", "anthropic", environ), PROVIDER)
        assert stack.daemon.running("listener") is not None


def test_a_request_in_the_moment_of_its_death_waits_for_the_next_listener(new_stack: NewStack) -> None:
    with new_stack("ccproxy start") as stack:
        assert stack.daemon is not None
        killed = stack.daemon.kill("listener")
        headers = {
            "x-api-key": PROVIDER.sentinel,
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
        }
        with (
            stack.exchange() as exchange,
            closing(http.client.HTTPConnection("127.0.0.1", stack.front.port, timeout=30)) as client,
        ):
            client.request("POST", "/v1/messages", json.dumps(PING), headers)
            answer = json.load(client.getresponse())
        assert answer["content"] == [{"type": "text", "text": "PONG-OK"}]
        exchange.check(PROVIDER)
        assert stack.daemon.pid("listener") != killed
