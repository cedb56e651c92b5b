"""Ask Anthropic not to redact thinking: drop ``redact-thinking-*`` from ``anthropic-beta``."""

from __future__ import annotations

from ccproxy.pipeline.context import Context
from ccproxy.pipeline.hook import hook

BETA = "anthropic-beta"
REDACTS = "redact-thinking-"


def verbose_mode_guard(ctx: Context) -> bool:
    """Only requests in Anthropic's format know these words."""
    return ctx.get_header("anthropic-version") != ""


@hook(reads=["header:anthropic-version", f"header:{BETA}"], writes=[f"header:{BETA}"])
def verbose_mode(ctx: Context, params: object) -> None:
    """Other betas keep their order; a header that is left empty goes."""
    values = ctx.headers.get_all(BETA)
    if not any(REDACTS in value for value in values):
        return
    betas = (beta.strip() for value in values for beta in value.split(","))
    ctx.set_header(BETA, ",".join(beta for beta in betas if beta and not beta.startswith(REDACTS)))
