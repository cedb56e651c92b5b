from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import httpx
import pytest

from ccproxy.echo.serve import start


async def test_start_and_stop() -> None:
    before = signal.getsignal(signal.SIGINT)
    first, second = await start(), await start()
    assert first.port != second.port
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"http://127.0.0.1:{first.port}/")).status_code == 200
        await asyncio.wait_for(first.stop(), 5)
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://127.0.0.1:{first.port}/")
        assert (await http.get(f"http://127.0.0.1:{second.port}/")).status_code == 200
    await asyncio.wait_for(second.stop(), 5)
    assert signal.getsignal(signal.SIGINT) is before


async def test_stopping_ends_a_stream_in_flight() -> None:
    echo = await start()
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "slow 0.5 " + "word " * 200}]}
    async with (
        httpx.AsyncClient(timeout=10) as http,
        http.stream("POST", f"http://127.0.0.1:{echo.port}/v1/chat/completions", json=body) as response,
    ):
        lines = response.aiter_lines()
        assert (await anext(lines)).startswith("data:")
        await asyncio.wait_for(echo.stop(), 5)


def test_importing_it_is_light() -> None:
    code = "import sys, ccproxy.echo.serve; print(sorted({'uvicorn', 'pydantic', 'starlette'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
