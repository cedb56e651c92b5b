"""A client whose user the kernel cannot tell, as one on Windows that comes into WSL."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.control.program import Program
from tests.listener.stand import message
from tests.support.daemon import TIMEOUT_S
from tests.support.need import need, need_linux

ROOT = str(Path(__file__).parents[2])
APART = """
import os, sys
from tests.clients.offline import go_offline
if not go_offline():
    sys.exit(77)
os.execv(sys.executable, [sys.executable, "-P", *sys.argv[1:]])
"""
"""Runs Python in a network namespace of its own, where the kernel knows nobody who connects from outside."""


@pytest.mark.parametrize(("trusted", "status"), [("false", 403), ("true", 200)])
def test_a_client_whose_user_cannot_be_told_needs_trust(trusted: str, status: int) -> None:
    need_linux()
    apart = [sys.executable, "-P", "-c", APART]
    tried = subprocess.run([*apart, "-c", ""], env=os.environ | {"PYTHONPATH": ROOT}, timeout=TIMEOUT_S, check=False)
    need(tried.returncode == 0, "the right to make a network namespace")
    config = f"ccproxy: {{trust_windows_host: {trusted}}}"
    with Program(config=config, argv=[*apart, "-m", "ccproxy"], PYTHONPATH=ROOT).listen().start() as program:
        program.told("READY=1")
        client = http.client.HTTPConnection(*program.address, timeout=TIMEOUT_S)
        client.request("POST", "/v1/messages", message(), {"x-api-key": "sk-ant-oat-ccproxy-echo"})
        assert client.getresponse().status == status
        client.close()
