"""The wheel: what is in it, and that it works where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.daemon import clean_environ
from tests.support.need import need

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)], os.environ, ROOT)
    (built,) = folder.iterdir()
    return built


def run(command: list[str], environ: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_the_package_whole_and_nothing_else(wheel: Path) -> None:
    source = ROOT / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name}
    assert {"ccproxy/py.typed", "ccproxy/__main__.py", "ccproxy/cli/start.py"} <= files
    info = f"ccproxy-{PROJECT['version']}.dist-info"
    about = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == files | about
        assert (
            archive.read(f"{info}/entry_points.txt").split() == b"[console_scripts] ccproxy = ccproxy.cli:main".split()
        )
        metadata = archive.read(f"{info}/METADATA").decode()
    needed = re.findall(r"^Requires-Dist: ([\w.-]+)(?!.*extra ==)", metadata, re.M)
    assert sorted(needed) == sorted(re.match(r"[\w.-]+", each)[0] for each in PROJECT["dependencies"])


def test_it_runs_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies are those of this environment, from which ccproxy itself is not seen."""
    uv = shutil.which("uv") or shutil.which("uv", path=ROOT / ".venv-tools" / "bin")
    need(uv is not None, "uv is not there")
    assert uv is not None
    environ = clean_environ(tmp_path) | {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache")}
    place = tmp_path / "venv"
    run([uv, "venv", "--quiet", "--python", sys.executable, str(place)], environ, tmp_path)
    run([uv, "pip", "install", "--quiet", "--no-deps", "--python", str(place), str(wheel)], environ, tmp_path)
    (packages,) = place.glob("lib/python3.*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    found = run([str(place / "bin" / "python"), "-c", "import ccproxy; print(ccproxy.__file__)"], environ, tmp_path)
    assert Path(found.strip()).is_relative_to(packages)
    program = str(place / "bin" / "ccproxy")
    assert run([program, "version"], environ, tmp_path) == f"ccproxy {PROJECT['version']}\n"
    run([program, "init"], environ, tmp_path)
    run([program, "config", "check"], environ, tmp_path)
