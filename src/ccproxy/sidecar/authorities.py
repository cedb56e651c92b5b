"""The certificate authorities that an upstream's certificate may come from, as the one file that curl reads."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi

from ccproxy.errors import ConfigError, Problem


def public() -> Path:
    """The public authorities (Mozilla's list), which every installation brings along."""
    return Path(certifi.where())


def with_own(own: Path | None, folder: Path) -> Path:
    """The public authorities and those in ``own`` (``upstream_ca_file``, PEM), joined in a file in ``folder``.

    Raises ConfigError if ``own`` cannot be read or holds no certificate.
    """
    if own is None:
        return public()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(own)
        text = own.read_bytes()
    except ssl.SSLError:
        raise ConfigError(Problem("upstream_ca_file", f"{own} holds no certificate in PEM form")) from None
    except OSError as error:
        raise ConfigError(Problem("upstream_ca_file", f"{own} cannot be read: {error.strerror}")) from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    joined, draft = folder / "authorities.pem", folder / ".authorities.pem"
    draft.write_bytes(public().read_bytes() + b"\n" + text)
    draft.replace(joined)
    return joined
