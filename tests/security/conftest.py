"""One daemon for the threats: a listener token, an allowed host, and rules that point where nothing may go."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.listener.stand import Stand

TOKEN = "l1st3ner-t0ken-0123456789"
CREDENTIAL_HEADERS = ("x-api-key", "authorization", "x-goog-api-key", "api-key", "cookie")

FORBIDDEN = {
    "metadata": "http://169.254.169.254",
    "alibaba": "http://100.100.100.200",
    "unspecified": "http://0.0.0.0",
    "any6": "http://[::]",
    "mapped": "http://[::ffff:127.0.0.1]",
    "mapped-metadata": "http://[::ffff:169.254.169.254]",
    "nat64": "http://[64:ff9b::a9fe:a9fe]",
}
"""Name of a rule → a destination that no configuration may have."""
INJECT = ("always", "beside_sentinel")
WRONG = ("scheme", "port", "address", "mapped", "punycode", "subdomain")


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    stand = Stand(tmp_path_factory.mktemp("threats"), listener_token=TOKEN, allowed_hosts=["*.corp.example"])
    daemon = stand.daemon
    own = {
        "own-proxy": f"http://127.0.0.1:{daemon.port}",
        "own-web": f"http://localhost:{daemon.web_port}",
        "own-mcp": f"http://127.0.0.1:{daemon.mcp_port}",
        "own-sidecar": f"http://127.0.0.1:{daemon.sidecar_port}",
        "own-by-name": f"http://{socket.gethostname()}:{daemon.web_port}",
    }
    rules = [rule(name, origin) for name, origin in (FORBIDDEN | own).items()]
    rules.append({"match_path": "^/to/plain", "action": "passthrough", "dest_host": stand.origin("plain")})
    rules += [wrong(case, dest, inject) for case, dest in wrong_hosts(stand).items() for inject in INJECT]
    config: dict[str, Any] = stand.settings | {"lightllm": {"transforms": rules}}
    config["inspector"] = {"mitmproxy": {"web_host": "0.0.0.0"}}
    daemon.write_config(config)
    with daemon:
        yield stand


def rule(name: str, origin: str) -> dict[str, str]:
    return {"match_path": f"^/to/{name}$", "action": "passthrough", "dest_host": origin}


def wrong_hosts(stand: Stand) -> dict[str, str]:
    """Places that are nearly the origin of the provider ``tls``, ``https://localhost:PORT``."""
    port = stand.ports["tls"]
    return {
        "scheme": f"http://localhost:{port}",
        "port": stand.origin("h2"),
        "address": f"https://127.0.0.1:{port}",
        "mapped": f"https://[::ffff:127.0.0.1]:{port}",
        "punycode": f"https://xn--lcalhost-k1a:{port}",
        "subdomain": f"https://x.localhost:{port}",
    }


def wrong(case: str, dest: str, inject: str) -> dict[str, str]:
    more = {"action": "passthrough", "dest_host": dest, "dest_provider": "tls", "inject": inject}
    return {"match_path": f"^/wrong/{case}/{inject}$", **more}
