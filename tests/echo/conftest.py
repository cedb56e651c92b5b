"""A running echo provider, in a thread of its own: one for the whole run, since it keeps nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from ccproxy.echo.serve import start


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """Its address, ``http://127.0.0.1:PORT``."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="echo")
    thread.start()
    echo = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield f"http://127.0.0.1:{echo.port}"
    asyncio.run_coroutine_threadsafe(echo.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
