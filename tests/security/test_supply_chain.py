"""What runs is what was locked (threat 18): hashes, no code at the start of the interpreter, nothing fetched later.

A release of another LLM proxy carried a ``.pth`` file, whose code ran at every start of every Python of its
environment. Such a file needs no import; so every distribution that ccproxy brings along is looked through for one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.support.need import need, need_linux, need_tool

ROOT = Path(__file__).parents[2]
REGISTRY = "https://pypi.org/simple"
FILES = "files.pythonhosted.org"
LEAST = {"starlette": "1.0.1", "mitmproxy": "12.2.3", "mcp": "2.3"}
"""Below these are holes that were reported (CVE-2026-48710, CVE-2025-23217, CVE-2025-66416)."""
START_UP = (".pth", ".start")
"""What ``site`` runs at the start of the interpreter: lines of the one, and (PEP 829) entry points of the other."""

type Package = Mapping[str, Any]


def load(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text())


@pytest.fixture(scope="module")
def locked() -> dict[str, list[Package]]:
    found: dict[str, list[Package]] = {}
    for package in load("uv.lock")["package"]:
        found.setdefault(package["name"], []).append(package)
    return found


def closure(locked: Mapping[str, list[Package]]) -> set[str]:
    """Everything that an installed ccproxy may bring along, on any system and with every extra; not what tests need."""
    wanted, seen = ["ccproxy"], set[str]()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        for package in locked[name]:
            groups = [package.get("dependencies", []), *package.get("optional-dependencies", {}).values()]
            wanted += [each["name"] for group in groups for each in group]
    return seen - {"ccproxy"}


# ---- the lock ----


def test_every_file_of_every_package_has_a_hash(locked: dict[str, list[Package]]) -> None:
    assert len(locked) > 50
    for name, packages in locked.items():
        for package in packages:
            if name == "ccproxy":
                assert package["source"] == {"editable": "."}
                continue
            assert package["source"] == {"registry": REGISTRY}, name
            files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
            assert files, name
            for file in files:
                assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), file
                assert urlsplit(file["url"])[:2] == ("https", FILES), file


def test_the_lock_is_of_this_project(locked: dict[str, list[Package]]) -> None:
    """``uv sync --frozen`` does not look."""
    [own] = locked["ccproxy"]
    stated = {Requirement(text).name: Requirement(text) for text in load("pyproject.toml")["project"]["dependencies"]}
    assert {each["name"] for each in own["dependencies"]} == stated.keys()
    for name, requirement in stated.items():
        for package in locked[name]:
            assert requirement.specifier.contains(package["version"], prereleases=True), name


@pytest.mark.parametrize("name", LEAST)
def test_no_version_with_a_known_hole_is_locked(locked: dict[str, list[Package]], name: str) -> None:
    for package in locked[name]:
        assert Version(package["version"]) >= Version(LEAST[name])


def test_requirements_come_from_the_registry_alone() -> None:
    project = load("pyproject.toml")
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    groups += [*project["dependency-groups"].values(), project["build-system"]["requires"]]
    for text in (text for group in groups for text in group):
        assert Requirement(text).url is None, text
    uv = project["tool"].get("uv", {})
    assert not uv.keys() & {"sources", "index", "index-url", "extra-index-url", "find-links", "no-verify-hashes"}
    assert "--frozen" in (ROOT / "Makefile").read_text()


def test_the_clients_that_tests_run_have_hashes_too() -> None:
    """They are not part of ccproxy, but they run on the machine of whoever runs ``make test-clients``."""
    lock = json.loads((ROOT / "tests" / "clients" / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert package.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/"), name

    for file in (ROOT / "tests" / "clients" / "python").glob("*.txt"):
        for requirement in re.split(r"\n(?=\S)", file.read_text().strip()):
            assert requirement.startswith("#") or "--hash=sha256:" in requirement, requirement


# ---- what runs at the start of the interpreter ----


def start_up_code(folder: Path) -> Iterator[str]:
    """``FILE: LINE`` of what runs without being imported, from a folder that is on ``sys.path``."""
    for file in sorted(folder.iterdir()):
        if file.suffix in START_UP:
            for line in file.read_text(errors="replace").splitlines():
                if file.suffix != ".pth" or re.match(r"import[ \t]", line):
                    yield f"{file.name}: {line}"
    for name in ("sitecustomize", "usercustomize"):
        yield from (f"{file.name}: a module that every start imports" for file in folder.glob(f"{name}*"))


def installed(names: set[str]) -> Iterator[Distribution]:
    for name in sorted(names):
        try:
            yield distribution(name)
        except PackageNotFoundError:
            continue  # of another system, or of an extra that is not installed


def test_nothing_that_is_brought_along_runs_at_the_start(locked: dict[str, list[Package]]) -> None:
    names = closure(locked)
    assert names > {"mitmproxy", "curl-cffi", "mcp", "pydantic-ai-slim"}
    assert not names & {"pytest", "coverage", "ruff"}
    found = [*installed(names)]
    assert len(found) > 40
    for each in found:
        top = [file for file in each.files or () if len(file.parts) == 1]
        assert each.files, f"{each.name} does not say what it installed"
        assert not [file for file in top if file.suffix in START_UP or "customize" in file.stem], each.name


def test_nothing_else_in_this_environment_does_but_coverage() -> None:
    """Its line does nothing unless a variable asks for measuring, and only those who run the tests install it."""
    folder = Path(distribution("mitmproxy").locate_file(""))
    assert [line for line in start_up_code(folder) if not line.startswith("a1_coverage.pth: ")] == []


def test_such_code_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "paths.pth").write_text("/somewhere/else\n# import nothing\n")
    assert not [*start_up_code(tmp_path)]
    (tmp_path / "evil.pth").write_text("/somewhere\nimport os; os.system('true')\n")
    (tmp_path / "evil.start").write_text("evil:main\n")
    (tmp_path / "sitecustomize.py").write_text("")
    assert len([*start_up_code(tmp_path)]) == 3


# ---- nothing is fetched at run time ----

OFFLINE = """
import fcntl, json, socket, struct, sys, urllib.request
with socket.socket() as any:  # SIOCSIFFLAGS, netdevice(7): the loopback device of a new namespace is down
    fcntl.ioctl(any, 0x8914, struct.pack("16sh22x", b"lo", 1))
from tests.support.daemon import Daemon

def ask(path, headers, body):
    headers |= {"content-type": "application/json"}
    request = urllib.request.Request(daemon.base + path, json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=20))

key, hi = "sk-ant-oat-ccproxy-echo", [{"role": "user", "content": "hi"}]
with Daemon() as daemon:
    answers = [
        ask("/v1/messages", {"x-api-key": key}, {"model": "echo", "max_tokens": 9, "messages": hi}),
        ask("/v1/chat/completions", {"authorization": f"Bearer {key}"}, {"model": "echo", "messages": hi}),
        ask("/v1/responses", {"authorization": f"Bearer {key}"}, {"model": "echo", "input": "hi"}),
        ask("/v1beta/models/echo:generateContent", {"x-goog-api-key": key}, {"contents": [{"parts": [{"text": ""}]}]}),
    ]
    listed = json.loads(daemon.cli("flows", "list", "--json").stdout)
    print(json.dumps([[*map(sorted, answers)], len(listed), [name for _, name in socket.if_nameindex()]]))
"""


def test_it_works_where_there_is_no_network() -> None:
    need_linux()
    unshare = [need_tool("unshare"), "--user", "--map-root-user", "--net"]
    need(subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0, "user namespaces")
    done = subprocess.run(
        [*unshare, sys.executable, "-c", OFFLINE], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answers, stored, devices = json.loads(done.stdout)
    assert devices == ["lo"]
    assert [set(answer) & {"content", "choices", "output", "candidates"} for answer in answers] == [
        {"content"}, {"choices"}, {"output"}, {"candidates"}
    ]  # fmt: skip
    assert stored == 4
