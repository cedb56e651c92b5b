"""The daemon that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.listener.stand import Stand


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    stand = Stand(tmp_path_factory.mktemp("stand"))
    with stand.daemon:
        yield stand
        stand.wait_until_idle()
