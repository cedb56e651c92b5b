"""The inspector: mitmproxy's web UI, certificates, key logs and options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ccproxy.config.auth import TokenSource
from ccproxy.config.quantities import BindHost, PathBesideFile, Port, Regex, Size
from ccproxy.config.rules import TransformRule
from ccproxy.config.section import SECRET, Section

_GENAI_SYSTEMS = {
    "api.anthropic.com": "anthropic",
    "api.openai.com": "openai",
    "generativelanguage.googleapis.com": "google",
    "openrouter.ai": "openrouter",
}


class MitmproxyOptions(Section):
    """Options handed to mitmproxy."""

    confdir: PathBesideFile | None = None
    """Folder of an existing mitmproxy CA; read only. `inspector.cert_dir` goes first."""
    ssl_insecure: bool = False
    """Accept any upstream certificate, but never for a request that carries an injected credential."""
    stream_large_bodies: Size | None = None
    """Larger bodies are streamed through, unseen by hooks, bytes or `3m`; null: only answers are streamed."""
    body_size_limit: Size | None = None
    """Bodies above this are refused by mitmproxy, bytes or `3m`; null: only `limits.body_bytes` applies."""
    web_host: BindHost = "127.0.0.1"
    """Address that the web UI listens on."""
    web_password: Annotated[TokenSource | None, SECRET] = None
    """Password of the web UI, or a source for it; null: a random one at each start."""
    web_open_browser: bool = False
    """Open the web UI in a browser at start."""
    ignore_hosts: tuple[Regex, ...] = ()
    """Regular expressions on `host:port`: jail traffic to these is passed through without being opened."""
    allow_hosts: tuple[Regex, ...] = ()
    """Regular expressions on `host:port`: only jail traffic to these is opened."""
    termlog_verbosity: Literal["error", "warn", "info", "alert", "debug"] = "warn"
    """Level from which mitmproxy's own messages are logged."""
    flow_detail: Annotated[int, Field(ge=0, le=4)] = 0
    """How much mitmproxy writes to the log about each flow, 0 (nothing) to 4."""


class Inspector(Section):
    """The web UI, certificates and key logs."""

    port: Port = 8083
    """Port of the web UI."""
    cert_dir: PathBesideFile | None = None
    """Folder of an existing mitmproxy CA to use; read only. Without one, a CA is made in the data folder."""
    provider_map: dict[str, str] = Field(default_factory=lambda: dict(_GENAI_SYSTEMS))
    """Host → `gen_ai.system` of its traces."""
    transforms: tuple[TransformRule, ...] = ()
    """Older place of `lightllm.transforms`; these rules come after those."""
    mitmproxy: MitmproxyOptions = MitmproxyOptions()
    """Options handed to mitmproxy."""
    tls_keylog: bool = False
    """Write TLS session keys to `tls.keylog` in the state folder: whoever has that file can read the traffic."""
    wg_keylog: bool = False
    """Write WireGuard private keys of jails to `wg.keylog` in the state folder."""
