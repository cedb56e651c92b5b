"""The official SDKs in Python (two generations) and JavaScript: buffered, streamed, a tool loop each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from tests.clients.gateway import DIRECT
from tests.clients.mock import CANARY
from tests.clients.program import Home, run
from tests.clients.providers import LANGUAGES, SDK_ANTHROPIC, SDK_CHAT, SDK_GOOGLE, SDK_RESPONSES, Provider
from tests.clients.stack import Exchange, Stack
from tests.clients.toolbox import HERE, Toolbox

type NewHome = Callable[..., Home]

EXPECTED = {"text": "PONG-OK", "stream": "PONG-OK", "tool": "TOOL-DONE", "turns": 2, "usage": [11, 7]}


def sdk(
    stack: Stack, toolbox: Toolbox, home: Home, language: str, script: str, environ: Mapping[str, str], *arguments: str
) -> Exchange:
    """Run one of the scripts in ``sdk`` and judge what it printed."""
    if language == "javascript":
        argv = [toolbox.bin / "node", toolbox.node / f"{script}_client.mjs"]
    else:
        argv = [toolbox.python(language.removeprefix("python-")), HERE / "sdk" / f"{script}_client.py"]
    with stack.exchange() as exchange:
        done = run([*argv, *arguments], home, toolbox.bin, environ, 60)
    assert done.code == 0, done
    assert json.loads(done.output) == EXPECTED
    return exchange


def judge(exchange: Exchange, provider: Provider) -> None:
    exchange.check(provider)
    assert (exchange.carrying("PONGTEST"), exchange.carrying("TOOLTEST"), exchange.carrying(CANARY)) == (2, 2, 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_anthropic(stack: Stack, toolbox: Toolbox, home: NewHome, language: str) -> None:
    provider = SDK_ANTHROPIC[language]
    environ = {"ANTHROPIC_BASE_URL": stack.origin, "ANTHROPIC_API_KEY": provider.sentinel}
    judge(sdk(stack, toolbox, home(), language, "anthropic", environ), provider)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("api", "providers"), [("chat", SDK_CHAT), ("responses", SDK_RESPONSES)])
def test_openai(
    stack: Stack, toolbox: Toolbox, home: NewHome, language: str, api: str, providers: Mapping[str, Provider]
) -> None:
    provider = providers[language]
    environ = {"OPENAI_BASE_URL": f"{stack.origin}/v1", "OPENAI_API_KEY": provider.sentinel}
    judge(sdk(stack, toolbox, home(), language, "openai", environ, api), provider)


@pytest.mark.parametrize("language", LANGUAGES)
def test_google(stack: Stack, toolbox: Toolbox, home: NewHome, language: str) -> None:
    provider = SDK_GOOGLE[language]
    if DIRECT and provider.path != "/":
        pytest.skip("this generation asks for /v1, which the mock does not know")
    environ = {"GOOGLE_GEMINI_BASE_URL": stack.origin, "GEMINI_API_KEY": provider.sentinel}
    exchange = sdk(stack, toolbox, home(), language, "google", environ)
    judge(exchange, provider)
    assert all(request.target.startswith("/v1beta/models/gemini-2.5-flash:") for request in exchange.forwarded)
