"""What somebody who has just started ccproxy wants to know: where it is, and three lines to try.

The web UI's token is shown to a terminal only: what is not a terminal may be a log.
"""

from __future__ import annotations

import json

from ccproxy.activator.plan import Plan
from ccproxy.control.protocol import dialled

SENTINEL = "sk-ant-oat-ccproxy-{provider}"


def banner(plan: Plan, version: str, inspect_url: str | None) -> str:
    """The text, with ``inspect_url`` (token included) if it may be shown."""
    proxy, ui = plan.tcp["proxy"], plan.web_ui
    base = f"http://{dialled(proxy.host)}:{proxy.port}"
    lines = [
        f"ccproxy {version}",
        f"  proxy   {base}",
        f"  web UI  {inspect_url or f'http://{dialled(ui.host)}:{ui.port}/'}",
    ]
    if "mcp" in plan.tcp:
        mcp = plan.tcp["mcp"]
        lines.append(f"  MCP     http://{dialled(mcp.host)}:{mcp.port}/mcp")
    if plan.echo_provider is not None:
        lines += ["", "Try it, with no account and no network:", "", *curl_lines(base, plan.echo_provider)]
    return "\n".join(lines) + "\n"


def curl_lines(base: str, provider: str) -> list[str]:
    """One request for the embedded provider in each of three wire formats, to be pasted."""
    key = SENTINEL.format(provider=provider)
    message = [{"role": "user", "content": "hello"}]
    return [
        _curl(f"{base}/v1/messages", f"x-api-key: {key}", {"model": "echo", "max_tokens": 99, "messages": message}),
        _curl(f"{base}/v1/chat/completions", f"authorization: Bearer {key}", {"model": "echo", "messages": message}),
        _curl(
            f"{base}/v1beta/models/echo:generateContent",
            f"x-goog-api-key: {key}",
            {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
        ),
    ]


def _curl(url: str, header: str, body: dict[str, object]) -> str:
    return f"curl {url} -H '{header}' -H 'content-type: application/json' -d '{json.dumps(body)}'"
