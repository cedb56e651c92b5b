"""Run the hooks of one stage on one request.

* A hook that fails is recorded, undone, and does not stop the request.
* A **critical** hook that fails ends it: what guards credentials or routing never fails open.
* What an error says stands in the flow's own record only. The log gets its type and the places in the code, since a
  message may quote the body.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Final

from ccproxy.errors import CcproxyError, RequestError
from ccproxy.flows.record import HookResult
from ccproxy.pipeline.context import Context
from ccproxy.pipeline.extras import NotJson
from ccproxy.pipeline.overrides import NONE, Overrides
from ccproxy.pipeline.plan import Plan, Stage, Step

DETAIL_CHARACTERS: Final = 300
NO_JSON: Final = "the body is no JSON"

log = logging.getLogger(__name__)


def run(plan: Plan, ctx: Context, *, timer: Callable[[], float], overrides: Overrides = NONE) -> list[HookResult]:
    """Run a stage; one result for each hook, in order.

    ``timer`` gives seconds of any monotonic clock. Raises what a critical hook raised (RequestError), or CcproxyError
    where that was a defect.
    """
    return [_step(step, plan.stage, ctx, timer, overrides) for step in plan.steps]


def _step(step: Step, stage: Stage, ctx: Context, timer: Callable[[], float], overrides: Overrides) -> HookResult:
    hook = step.hook
    if hook.name in overrides.skipped and not hook.critical:
        return HookResult(hook.name, stage, "skipped", "switched off by x-ccproxy-hooks")
    before = ctx.checkpoint()
    began = timer()
    try:
        if hook.guard is not None and hook.name not in overrides.forced and not hook.guard(ctx):
            return HookResult(hook.name, stage, "skipped", "not for this request", timer() - began)
        if hook.needs_json and not ctx.may_be_json:
            return HookResult(hook.name, stage, "skipped", NO_JSON, timer() - began)
        given = hook.run(ctx, step.params)
        if given is not None and given is not ctx:
            raise TypeError(f"hook {hook.name!r} returned a {type(given).__name__}; return the context it was given")
        ctx.settle()
    except NotJson:
        ctx.restore(before)
        return HookResult(hook.name, stage, "skipped", NO_JSON, timer() - began)
    except Exception as error:
        ctx.restore(before)
        _log(hook.name, error)
        if not hook.critical:
            return HookResult(hook.name, stage, "error", describe(error), timer() - began)
        if isinstance(error, RequestError):
            raise
        raise CcproxyError(
            f"the hook {hook.name!r}, which guards credentials, failed ({type(error).__name__}); nothing was sent"
        ) from None
    return HookResult(hook.name, stage, "ok", "", timer() - began)


def describe(error: BaseException) -> str:
    """An error in a line, for the flow's record."""
    text = " ".join(str(error).split())
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= DETAIL_CHARACTERS else f"{line[: DETAIL_CHARACTERS - 1]}…"


def _log(name: str, error: BaseException) -> None:
    if log.isEnabledFor(logging.DEBUG):
        frames = " > ".join(
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        )
        log.debug("hook %s: %s at %s", name, type(error).__name__, frames)
