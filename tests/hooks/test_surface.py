"""The table in ``ccproxy.hooks`` says what there is."""

from __future__ import annotations

import pkgutil
import re

from ccproxy import hooks
from ccproxy.config.hooks import BUILT, Hooks, entries
from ccproxy.pipeline.load import load

ROW = re.compile(r"^(\w+) +(inbound|outbound) +(.+)$", re.MULTILINE)


def test_the_table_names_every_file_and_every_built_hook() -> None:
    rows = {name: (stage, text) for name, stage, text in ROW.findall(hooks.__doc__ or "")}
    assert set(rows) == {module.name for module in pkgutil.iter_modules(hooks.__path__)} == set(BUILT)
    for step in load(entries(*BUILT), []).inbound.steps:
        stage, text = rows[step.name]
        assert ("cannot be switched off" in text) is step.hook.critical
        assert set(re.findall(r"params: ([\w, ]+)\)", text)) == (
            {", ".join(step.hook.model.model_fields)} if step.hook.model else set()
        )
        assert step.hook.run.__module__ == f"ccproxy.hooks.{step.name}"
    defaults = Hooks()
    for stage, listed in (("inbound", defaults.inbound), ("outbound", defaults.outbound)):
        assert all(rows[entry.name][0] == stage for entry in listed)
