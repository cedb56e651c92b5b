"""Find the sentinel key, take every credential of the client out of the request, and name the provider.

The credential itself is no business of a hook: the edge writes it on the copy of the request that is sent, after all
hooks and the guard. So nothing here resolves, holds or shows a token.

    x-api-key: sk-ant-oat-ccproxy-deepseek   →   (no credential)   ctx.sentinel = Sentinel('deepseek', 'x-api-key')
"""

from __future__ import annotations

from ccproxy import sentinel
from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import hook

SLOTS = (*(f"header:{name}" for name in sentinel.HEADER_SLOTS), "ctx.path")


@hook(reads=[*SLOTS, "header:content-type", "ctx.providers"], writes=[*SLOTS, "ctx.sentinel"], critical=True)
def inject_auth(ctx: Context, params: object) -> None:
    """Raises CredentialError for a provider that is not configured, and what ``sentinel.find`` raises."""
    found = sentinel.find(ctx.headers, ctx.path, has_body=ctx.has_body)
    if found is None:
        return
    if found.provider not in ctx.providers:
        raise sentinel.unknown_provider(found.provider, ctx.providers)
    ctx.path = sentinel.remove(ctx.headers, ctx.path)
    ctx.sentinel = found
