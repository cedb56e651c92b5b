"""``verify_readiness_on_startup``: is there a network at all? Off unless the configuration asks for it."""

from __future__ import annotations

import asyncio
import http.client
import urllib.error
import urllib.request

from ccproxy.config.model import Config
from ccproxy.errors import ConfigError, Problem


async def probe_readiness(config: Config) -> None:
    """Return once ``readiness_probe_url`` gave any HTTP answer.

    Raises ConfigError if it does not within its time: a start that was asked to end here is not tried again.
    """
    if config.verify_readiness_on_startup:
        await asyncio.to_thread(probe, config.readiness_probe_url, config.readiness_probe_timeout_seconds)


def probe(url: str, patience_s: float) -> None:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the configuration takes http and https only
    try:
        urllib.request.urlopen(request, timeout=patience_s).close()  # noqa: S310
    except urllib.error.HTTPError:
        return  # an answer, whatever it says
    except (OSError, http.client.HTTPException) as err:
        reason = err.reason if isinstance(err, urllib.error.URLError) else err
        told = f"not ready: {url} does not answer ({reason}); `verify_readiness_on_startup: false` starts without it"
        raise ConfigError(Problem("readiness_probe_url", told)) from None
