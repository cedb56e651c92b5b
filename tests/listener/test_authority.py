"""Whose certificates the proxy shows, and whose it believes."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import certifi
import pytest

from ccproxy.config.instance import Instance, find_instance
from ccproxy.config.model import Config
from ccproxy.errors import ConfigError
from ccproxy.listener.authority import CA_FILE, confdir, upstream_bundle
from tests.support.certificates import Authority
from tests.support.daemon import Daemon, clean_environ


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    instance = find_instance(None, clean_environ(tmp_path))
    instance.config_dir.mkdir(parents=True)
    return instance


def config(**inspector: object) -> Config:
    return Config.model_validate({"inspector": inspector})


def make_ca(folder: Path) -> Path:
    """A mitmproxy CA of somebody's own."""
    from mitmproxy.certs import CertStore

    folder.mkdir(parents=True, exist_ok=True)
    CertStore.create_store(folder, "mitmproxy", 2048, organization="somebody's own", cn="somebody's own")
    return folder


async def test_cert_dir_is_used(tmp_path: Path) -> None:
    """A client that trusts only this CA speaks TLS with the proxy."""
    folder = make_ca(tmp_path / "ca")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with Daemon({"inspector": {"cert_dir": str(folder)}}) as daemon:
        trusting = ssl.create_default_context(cafile=str(folder / "mitmproxy-ca-cert.pem"))
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", daemon.port, ssl=trusting, server_hostname="localhost"
        )
        writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert b"ccproxy says hey!" in await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before, "it is never written"


def test_confdir_is_used(instance: Instance, tmp_path: Path) -> None:
    folder, other = make_ca(tmp_path / "ca"), make_ca(tmp_path / "other")
    found = confdir(config(mitmproxy={"confdir": str(folder)}), instance)
    assert (found / CA_FILE).read_bytes() == (folder / CA_FILE).read_bytes()
    found = confdir(config(cert_dir=str(other), mitmproxy={"confdir": str(folder)}), instance)
    assert (found / CA_FILE).read_bytes() == (other / CA_FILE).read_bytes()
    assert found != other, "mitmproxy writes into its confdir"


def test_a_ca_in_the_configuration_folder_is_used(instance: Instance) -> None:
    make_ca(instance.config_dir)
    before = sorted(instance.config_dir.iterdir())
    found = confdir(Config(), instance)
    assert (found / CA_FILE).read_bytes() == (instance.config_dir / CA_FILE).read_bytes()
    assert sorted(instance.config_dir.iterdir()) == before


def test_otherwise_one_is_made_in_the_data_folder(instance: Instance) -> None:
    assert confdir(Config(), instance) == instance.data_dir
    assert instance.data_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("key", ["cert_dir", "confdir"])
def test_a_folder_without_a_ca_is_refused(instance: Instance, tmp_path: Path, key: str) -> None:
    named = {"cert_dir": str(tmp_path)} if key == "cert_dir" else {"mitmproxy": {"confdir": str(tmp_path)}}
    with pytest.raises(ConfigError, match=rf"{tmp_path} holds no {CA_FILE}"):
        confdir(config(**named), instance)


def test_added_authorities_come_beside_the_public_ones(instance: Instance, tmp_path: Path) -> None:
    added = Authority(tmp_path).ca_file
    bundle = upstream_bundle(Config(upstream_ca_file=added), instance)
    assert bundle is not None
    text = Path(bundle).read_bytes()
    assert added.read_bytes() in text
    assert Path(certifi.where()).read_bytes() in text
    assert upstream_bundle(Config(), instance) is None


def test_authorities_that_cannot_be_read_are_told(instance: Instance, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.pem cannot be read: No such file"):
        upstream_bundle(Config(upstream_ca_file=tmp_path / "missing.pem"), instance)
