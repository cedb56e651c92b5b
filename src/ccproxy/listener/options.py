"""mitmproxy's options and loggers, as the configuration and our own decisions want them."""

from __future__ import annotations

import logging
import os
import re
import secrets
from typing import Final

from mitmproxy import options

from ccproxy.auth.sources import read_secret
from ccproxy.config.instance import Instance
from ccproxy.config.model import Config
from ccproxy.listener.authority import confdir, upstream_bundle
from ccproxy.listener.master import ListenerMaster

LEVELS: Final = {"error": "ERROR", "warn": "WARNING", "info": "INFO", "alert": "WARNING", "debug": "DEBUG"}
IDLE_S: Final = 24 * 3600
"""A connection without any traffic is closed after this. mitmproxy's ten minutes would end answers that take longer to
begin; how long those may take is for ``provider_timeout`` to say."""
WIRE_BYTES: Final = re.compile(r"b['\"]|<[A-Z]")
"""Where the repr of bytes, or of an event that holds some, begins."""
NOISY: Final = ("xepor", "tornado", "asyncio", "hpack", "mitmproxy.tools.web.webaddons")
REVERSE: Final = r":1$"
"""Matches what mitmproxy takes for the destination of a reverse connection: the placeholder, and the client's Host with
its port. These options are about jails; a reverse connection that they hit would become a raw tunnel to nowhere."""
NOT_REVERSE: Final = r"^(?!.*:1$).*?(?:{})"


def first_options(config: Config, instance: Instance) -> options.Options:
    """The options that a master is made with. Raises ConfigError for a CA that is not there."""
    allowed = list(config.inspector.mitmproxy.allow_hosts)
    opts = options.Options(confdir=str(confdir(config, instance)))
    opts.update(
        ssl_insecure=config.inspector.mitmproxy.ssl_insecure,
        ssl_verify_upstream_trusted_ca=upstream_bundle(config, instance),
        ignore_hosts=[NOT_REVERSE.format(pattern) for pattern in config.inspector.mitmproxy.ignore_hosts],
        allow_hosts=allowed and [*allowed, REVERSE],
    )
    return opts


def later_options(master: ListenerMaster, config: Config, web_password: str) -> None:
    """The options that exist only once mitmproxy's addons are there."""
    ours = config.inspector.mitmproxy
    master.options.update(
        connection_strategy="lazy",  # the placeholder upstream must never be dialled
        tcp_timeout=IDLE_S,
        keep_host_header=True,  # the client's own Host is what ingress judges
        store_streamed_bodies=False,  # every answer is streamed; our own capture is bounded
        body_size_limit=None if ours.body_size_limit is None else str(ours.body_size_limit),
        web_host=ours.web_host,
        web_port=config.inspector.port,
        web_open_browser=ours.web_open_browser,
    )
    protect(master, web_password)


def protect(master: ListenerMaster, password: str) -> None:
    """Have the web UI ask for this password. Not by mitmproxy's option: the web UI shows the value of every option."""
    auth = master.addons.get("webauth")
    assert hasattr(auth, "_password"), "mitmproxy keeps the password elsewhere: use the locked version"
    auth._password = password


async def web_password_of(config: Config) -> str:
    """The configured password of the web UI, or a random one. Raises CredentialError."""
    source = config.inspector.mitmproxy.web_password
    if source is None:
        return secrets.token_hex(16)
    return await read_secret("inspector.mitmproxy.web_password", source, config, environ=os.environ)


def web_hosts(config: Config) -> frozenset[str]:
    """Host fields by which the web UI may be addressed."""
    names = {"127.0.0.1", "localhost", "[::1]", config.inspector.mitmproxy.web_host, *config.allowed_hosts}
    return frozenset(f"{name}:{config.inspector.port}" for name in names)


def quiet_loggers(config: Config) -> None:
    """mitmproxy logs every connection at INFO, and quotes captured bytes in some messages."""
    logging.getLogger("mitmproxy").setLevel(LEVELS[config.inspector.mitmproxy.termlog_verbosity])
    logging.getLogger("mitmproxy.proxy.server").addFilter(quote_nothing)
    for name in NOISY:
        logging.getLogger(name).setLevel("ERROR")


def quote_nothing(record: logging.LogRecord) -> bool:
    """Keep bytes of the wire, which may hold a key, out of what mitmproxy says of a message that it cannot read."""
    if isinstance(record.msg, str) and (quoted := WIRE_BYTES.search(record.msg)):
        record.msg = f"{record.msg[: quoted.start()]}…"
    return True
