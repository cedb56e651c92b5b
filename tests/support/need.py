"""Tools that a test wants from the system.

A missing tool skips the test, and says which; with CCPROXY_TEST_NO_SKIP=1 (continuous integration) it fails it.
"""

from __future__ import annotations

import os
import shutil
import sys

import pytest


def need_tool(name: str) -> str:
    """The path of a program. Skips, or fails, the calling test where there is none."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return found or missing(f"the program {name!r} is not installed")


def need(condition: bool, what: str) -> None:
    """Skip, or fail, the calling test unless ``condition`` holds."""
    if not condition:
        missing(what)


def need_linux() -> None:
    """Skip, or fail, off Linux."""
    need(sys.platform == "linux", "this needs Linux")


def missing(what: str) -> str:
    if os.environ.get("CCPROXY_TEST_NO_SKIP") == "1":
        pytest.fail(what)
    pytest.skip(what)
