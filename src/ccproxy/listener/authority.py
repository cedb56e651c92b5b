"""Which certificate authority signs for intercepted hosts, and which ones upstreams are checked against.

An existing mitmproxy CA is used where the configuration (``inspector.cert_dir``, ``inspector.mitmproxy.confdir``) or
the configuration folder has one; those folders are never written. Otherwise one is made in the data folder, once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import certifi

from ccproxy.config.folders import make_private_folder
from ccproxy.config.instance import Instance
from ccproxy.config.model import Config
from ccproxy.errors import ConfigError, Problem

CA_FILE: Final = "mitmproxy-ca.pem"


def confdir(config: Config, instance: Instance) -> Path:
    """mitmproxy's ``confdir``: a folder of ours; an existing CA is linked into it.

    Raises ConfigError if a folder that the configuration names has no CA.
    """
    named = config.inspector.cert_dir or config.inspector.mitmproxy.confdir
    if named is not None and not (named / CA_FILE).is_file():
        raise ConfigError(
            Problem(
                "inspector.cert_dir",
                f"{named} holds no {CA_FILE}; name a folder with a mitmproxy CA, or remove the key to have one made",
            )
        )
    existing = next((f for f in (named, instance.config_dir) if f is not None and (f / CA_FILE).is_file()), None)
    if existing is None:
        make_private_folder(instance.data_dir)
        return instance.data_dir
    adopted = instance.data_dir / "adopted"
    make_private_folder(instance.data_dir)
    make_private_folder(adopted)
    link = adopted / CA_FILE
    if not link.is_symlink() or link.readlink() != existing / CA_FILE:
        link.unlink(missing_ok=True)
        link.symlink_to(existing / CA_FILE)
    return adopted


def upstream_bundle(config: Config, instance: Instance) -> str | None:
    """A PEM file with the public authorities and ``upstream_ca_file``; None: mitmproxy's own choice (certifi).

    Raises ConfigError if the file cannot be read.
    """
    extra = config.upstream_ca_file
    if extra is None:
        return None
    try:
        added = extra.read_bytes()
    except OSError as err:
        raise ConfigError(Problem("upstream_ca_file", f"{extra} cannot be read: {err.strerror}")) from None
    make_private_folder(instance.state_dir)
    bundle = instance.state_dir / "upstream-ca.pem"
    scratch = bundle.with_suffix(".tmp")
    scratch.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + added)
    scratch.replace(bundle)
    return str(bundle)
