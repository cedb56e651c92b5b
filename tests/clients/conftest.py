"""Toolbox, mock and daemon, each started once; without a network from the moment that everything is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.clients import mock
from tests.clients.gateway import DIRECT, HOW, gateway
from tests.clients.offline import go_offline
from tests.clients.program import Home
from tests.clients.providers import PROVIDERS
from tests.clients.stack import Stack
from tests.clients.tap import Tap
from tests.clients.toolbox import HERE, Toolbox, install
from tests.support.daemon import Via

type StackMaker = Callable[..., contextlib.AbstractContextManager[Stack]]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The ordinary test run leaves this folder out: it is collected only when it is named."""
    named = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    return None if any(path == HERE or HERE in path.parents for path in named) else True


@pytest.fixture(scope="session")
def toolbox() -> Toolbox:
    """Everything installed."""
    return install()


@pytest.fixture(scope="session")
def isolated(toolbox: Toolbox) -> bool:
    """Whether the network is gone; the system may not permit it."""
    return go_offline()


@pytest.fixture(scope="session")
def upstream(toolbox: Toolbox, isolated: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[mock.Mock]:
    """The mock, which knows the true keys and no other."""
    keys = [] if DIRECT else [one.key for one in PROVIDERS]
    with mock.running(toolbox, tmp_path_factory.mktemp("mock"), keys) as running:
        yield running


@pytest.fixture(scope="session")
def new_stack(upstream: mock.Mock, tmp_path_factory: pytest.TempPathFactory) -> StackMaker:
    """Makes an arrangement of its own for a test."""

    @contextlib.contextmanager
    def make(how: Via | None, *, wait: bool = True) -> Iterator[Stack]:
        folder = tmp_path_factory.mktemp("keys")
        with (
            Tap(upstream.port) as back,
            gateway(how, back.port, folder, wait=wait) as daemon,
            Tap(daemon.port if daemon else back.port) as front,
        ):
            yield Stack(upstream, front, back, daemon)

    return make


@pytest.fixture(scope="session", params=HOW)
def stack(request: pytest.FixtureRequest, new_stack: StackMaker) -> Iterator[Stack]:
    """The arrangement that tests share, once for each way to start the daemon's processes."""
    with new_stack(request.param) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Callable[..., Home]:
    """``home({path: text})``: a client's home, whose work folder holds the canary."""
    return lambda files={}: Home.at(tmp_path / "home", {"work/canary.txt": f"{mock.CANARY}\n", **files})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows the end of what the daemon said."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack) and stack.daemon:
        report.sections.append(("daemon", stack.daemon.logs()[-4000:]))
    return report
