"""Who takes part: a table of context managers, each giving where to send to and whom to watch."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.daemon import daemon
from tests.bench.process import BenchError, free_ports, running, wait_listening


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender that is ready."""

    port: int
    pid: int | None
    """The process that carries the traffic. None: there is none in between."""


type Contender = Callable[[Path, int], AbstractContextManager[Entry]]

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
MITMDUMP = Path(sys.executable).parent / "mitmdump"
_ADDON = Path(__file__).with_name("stream_addon.py")

_NGINX_CONF = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_max_body_size 64m;
  client_body_buffer_size 256k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    tcp_nodelay on;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


@contextlib.contextmanager
def provider(folder: Path) -> Iterator[int]:
    """The upstream process. It ends with its standard input."""
    log = (folder / "provider.log").open("wb")
    with (
        log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.provider"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
            if not line.strip().isdigit():
                raise BenchError("the provider did not start: " + (folder / "provider.log").read_text()[-2000:])
            yield int(line)
        finally:
            child.stdin.close()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()


@contextlib.contextmanager
def direct(folder: Path, upstream: int) -> Iterator[Entry]:
    yield Entry(upstream, None)


@contextlib.contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Entry]:
    if NGINX is None:
        raise BenchError("nginx is not installed (package nginx-light)")
    (port,) = free_ports(1)
    folder.mkdir()
    conf, log = folder / "nginx.conf", folder / "nginx.log"
    conf.write_text(_NGINX_CONF.format(folder=folder, upstream=upstream, port=port))
    with running([NGINX, "-p", str(folder), "-c", str(conf), "-e", "stderr"], log) as child:
        wait_listening(port, child, log)
        yield Entry(port, child.pid)


@contextlib.contextmanager
def mitmdump(folder: Path, upstream: int) -> Iterator[Entry]:
    """Default addons; quiet, since one printed line a request would only slow it down."""
    (port,) = free_ports(1)
    folder.mkdir()
    log = folder / "mitmdump.log"
    argv = [
        *(str(MITMDUMP), "--quiet", "--mode", f"reverse:http://127.0.0.1:{upstream}@127.0.0.1:{port}"),
        *("--set", f"confdir={folder}", "--scripts", str(_ADDON)),
    ]
    with running(argv, log) as child:
        wait_listening(port, child, log)
        yield Entry(port, child.pid)


@contextlib.contextmanager
def ccproxy(folder: Path, upstream: int) -> Iterator[Entry]:
    with daemon(folder, upstream) as instance:
        instance.first_answer()
        yield Entry(instance.port, instance.pid("listener"))


CONTENDERS: dict[str, Contender] = {"direct": direct, "nginx": nginx, "mitmdump": mitmdump, "ccproxy": ccproxy}
"""In the order in which they take their turns. ccproxy is last: what it has left to write to its store when its
answers are out must not slow down the one that it is compared with."""
