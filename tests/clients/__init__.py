"""Real clients through the daemon to an independent mock provider: the acceptance suite.

::

    client ──▶ tap ──▶ daemon ──▶ tap ──▶ aimock

Both taps relay bytes and keep them, so a test can say what the client sent and what arrived upstream, without asking
the program under test. The clients are the vendors' own, installed by npm and uv into ``.work`` from lock files; each
runs with an empty environment, a home of its own, and no network but loopback. ``make test-clients`` runs them, one
after another; CCPROXY_CLIENTS_DIRECT=1 leaves the daemon out, which tells a fault of the client from one of ours.
"""

import pytest

pytest.register_assert_rewrite("tests.clients.stack", "tests.clients.program", "tests.clients.toolbox")
