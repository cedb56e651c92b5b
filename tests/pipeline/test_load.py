from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccproxy.config.hooks import HookEntry, entries
from ccproxy.config.model import Config
from ccproxy.errors import ConfigError
from ccproxy.hooks.commitbee_compat import CommitbeeParams
from ccproxy.pipeline.load import load

HEAD = "from pydantic import BaseModel\nfrom ccproxy.pipeline.hook import hook\n"
TAGGING = (
    HEAD
    + """
from ccproxy.hooks.verbose_mode import verbose_mode   # imported, so not this module's

class Params(BaseModel):
    team: str
    level: int = 1

@hook(writes=["body.metadata.team"], model=Params)
def tagging(ctx, params):
    ctx.extras.set("metadata.team", params.team)

@hook(reads=["ctx.session_id"])
def second(ctx, params): ...
"""
)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """A package of this test's own, importable under the name that is given."""
    name = "own_" + str(abs(hash(request.node.nodeid)))
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "tagging.py").write_text(TAGGING)
    (package / "broken.py").write_text("import nothing_of_this_name\n")
    (package / "empty.py").write_text("x = 1\n")
    (package / "writer.py").write_text(HEAD + '@hook(writes=["ctx.session_id"])\ndef writer(ctx, params): ...\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name


def entry(hook: str, **params: object) -> HookEntry:
    return HookEntry(hook=hook, params=params)


def problems(*inbound: HookEntry, outbound: tuple[HookEntry, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(inbound, outbound)
    return [str(problem) for problem in caught.value.problems]


def test_the_default_configuration_loads() -> None:
    hooks = Config().hooks
    pipeline = load(hooks.inbound, hooks.outbound)
    assert [step.name for step in pipeline.inbound.steps] == ["inject_auth", "extract_session_id"]
    assert [step.name for step in pipeline.outbound.steps] == ["verbose_mode"]
    assert pipeline.warnings == ()


def test_both_spellings_of_a_built_in_hook() -> None:
    for name in ("verbose_mode", "ccproxy.hooks.verbose_mode"):
        assert [step.name for step in load([], [entry(name)]).outbound.steps] == ["verbose_mode"]


def test_a_hook_that_is_not_built_is_skipped_with_a_warning() -> None:
    pipeline = load(entries("inject_auth", "pplx_thread_inject"), entries("shape"))
    assert [step.name for step in pipeline.inbound.steps] == ["inject_auth"]
    assert pipeline.outbound.steps == ()
    assert [str(warning) for warning in pipeline.warnings] == [
        "hooks.inbound.1: the hook 'pplx_thread_inject' is not built; it is skipped",
        "hooks.outbound.0: the hook 'shape' is not built; it is skipped",
    ]


def test_a_module_brings_all_its_own_hooks_with_checked_parameters(modules: str) -> None:
    pipeline = load([entry(f"{modules}.tagging", team="infra")], [])
    first, second = pipeline.inbound.steps
    assert (first.name, second.name, second.params) == ("tagging", "second", None)
    assert getattr(first.params, "team", None) == "infra"
    assert getattr(first.params, "level", None) == 1


def test_parameters_of_a_built_in_hook() -> None:
    (step,) = load([], [entry("commitbee_compat", signature="sig")]).outbound.steps
    assert isinstance(step.params, CommitbeeParams)
    assert step.params.signature == "sig"


def test_parameters_that_nobody_takes_are_a_warning() -> None:
    pipeline = load([], [entry("verbose_mode", loud=True)])
    assert [str(warning) for warning in pipeline.warnings] == [
        "hooks.outbound.0.params: the hook 'verbose_mode' takes no parameters; ignored"
    ]


def test_wrong_parameters_are_told_without_their_values(modules: str) -> None:
    found = problems(entry(f"{modules}.tagging", level="s3cret"), outbound=(entry("commitbee_compat", typo="s3cret"),))
    assert len(found) == 3
    assert found[0] == "hooks.inbound.0.params.team: Field required (hook 'tagging')"
    assert found[1].startswith("hooks.inbound.0.params.level: ")
    assert found[2].startswith("hooks.outbound.0.params.typo: ")
    assert not any("s3cret" in line for line in found)


def test_an_unknown_module_gets_a_hint(modules: str) -> None:
    ours = "a module of your own must be importable, see PYTHONPATH"
    assert problems(
        entry(f"{modules}.taging"), entry("nowhere.at.all"), entry(f"{modules}.tagging.deeper", team="x")
    ) == [
        f"hooks.inbound.0: there is no module '{modules}.taging'; did you mean {modules}.tagging?",
        f"hooks.inbound.1: there is no module 'nowhere.at.all'; {ours}",
        f"hooks.inbound.2: there is no module '{modules}.tagging.deeper'; {ours}",
    ]


def test_modules_that_are_of_no_use(modules: str) -> None:
    broken, empty = problems(entry(f"{modules}.broken"), entry(f"{modules}.empty"))
    assert "cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'" in broken
    assert "defines no hook" in empty


def test_a_hook_is_listed_once_in_a_stage() -> None:
    (twice,) = problems(*entries("inject_auth", "inject_auth"))
    assert twice == "hooks.inbound.1: the hook 'inject_auth' is listed twice in inbound; keep one"
    both = load(entries("verbose_mode"), entries("verbose_mode"))
    assert [len(plan.steps) for plan in both.plans] == [1, 1]


def test_reading_what_a_later_hook_writes_is_refused(modules: str) -> None:
    (problem,) = problems(entry(f"{modules}.tagging", team="a"), outbound=(entry(f"{modules}.writer"),))
    assert "'second' reads ctx.session_id, which only 'writer' (outbound) writes" in problem
    assert load(entries("extract_session_id"), [entry(f"{modules}.tagging", team="a")]).outbound.steps
