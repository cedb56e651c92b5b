from __future__ import annotations

import os
import resource
import subprocess
import sys

from ccproxy.control.hardening import ACTIVATOR_PID, follow_parent
from tests.support.need import need_linux


def test_no_memory_goes_to_a_core_file() -> None:
    need_linux()
    code = (
        "import resource; from ccproxy.control.hardening import forbid_core_dumps; forbid_core_dumps();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), int(open('/proc/self/coredump_filter').read(), 16))"
    )
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    assert shown.strip() == "(0, 0) 0"


def test_an_activator_that_is_gone_already_ends_it() -> None:
    need_linux()
    code = (
        "import os; from ccproxy.control.hardening import follow_parent;"
        "follow_parent({'CCPROXY_ACTIVATOR_PID': '1'}); print('still here')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == -15
    assert ended.stdout == ""


def test_without_an_activator_nothing_is_followed() -> None:
    environ: dict[str, str] = {"OTHER": "1"}
    follow_parent(environ)
    assert environ == {"OTHER": "1"}
    assert ACTIVATOR_PID not in os.environ
