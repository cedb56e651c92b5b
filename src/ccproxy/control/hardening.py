"""Two things that a process which holds credentials asks of its kernel.

``forbid_core_dumps``: a core file would hold every secret of the process. The limit is 0, and on Linux the dump filter
is empty as well, since a kernel that pipes dumps to a program does not look at the limit. PR_SET_DUMPABLE is *not*
cleared: it would give /proc/PID to root, and with it the answers to "who holds this port" and "is this my own
process"; other programs of the same user are not kept out by it anyway (they can read the credential's source).

``follow_parent``: when the activator is killed, its processes end too, instead of holding its ports.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import MutableMapping
from pathlib import Path

ACTIVATOR_PID = "CCPROXY_ACTIVATOR_PID"
"""Set by the activator for the processes that it starts."""
PR_SET_PDEATHSIG = 1
"""<linux/prctl.h>"""


def forbid_core_dumps() -> None:
    """No memory of this process, or of its children, goes to a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        try:
            Path("/proc/self/coredump_filter").write_text("0")
        except OSError:  # a kernel without core dumps, a /proc that is read-only
            return


def follow_parent(environ: MutableMapping[str, str]) -> None:
    """Be told to stop (SIGTERM) when the activator that started this process dies, however it does. Linux only."""
    activator = environ.pop(ACTIVATOR_PID, "")
    if not activator or sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - only here, and only when started by the activator

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if str(os.getppid()) != activator:  # it died before the kernel knew
        os.kill(os.getpid(), signal.SIGTERM)
