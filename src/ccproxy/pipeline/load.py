"""From the configuration's hook lists to a pipeline: import, check parameters, order.

Everything that is wrong is told at once. A built-in hook of which only the name exists yet is skipped with a warning.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import ModuleType

from pydantic import ValidationError

from ccproxy.config.hooks import HookEntry
from ccproxy.errors import ConfigError, Problem
from ccproxy.pipeline.hook import Hook
from ccproxy.pipeline.plan import Pipeline, Stage, Step, check_reads, plan


def load(inbound: Sequence[HookEntry], outbound: Sequence[HookEntry]) -> Pipeline:
    """Make the pipeline of a configuration. Raises ConfigError with every problem."""
    problems: list[Problem] = []
    inner = _steps("inbound", inbound, problems)
    outer = _steps("outbound", outbound, problems)
    problems += check_reads(inner, outer)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise ConfigError(*errors)
    return Pipeline(plan("inbound", inner), plan("outbound", outer), tuple(problems))


def hooks_of(module: ModuleType) -> list[Hook]:
    """The hooks that a module defines itself, in the order in which they are written."""
    return [value for value in vars(module).values() if isinstance(value, Hook) and value.module == module.__name__]


def _steps(stage: Stage, entries: Sequence[HookEntry], problems: list[Problem]) -> list[Step]:
    steps: list[Step] = []
    for index, entry in enumerate(entries):
        key = f"hooks.{stage}.{index}"
        if not entry.built:
            problems.append(Problem(key, f"the hook {entry.name!r} is not built; it is skipped", severity="warning"))
            continue
        module = _module(entry.path, key, problems)
        if module is None:
            continue
        for hook in hooks_of(module):
            if any(step.name == hook.name for step in steps):
                problems.append(Problem(key, f"the hook {hook.name!r} is listed twice in {stage}; keep one"))
            else:
                steps.extend(_bind(hook, entry.params, key, problems))
    return steps


def _module(path: str, key: str, problems: list[Problem]) -> ModuleType | None:
    try:
        found = importlib.util.find_spec(path) is not None
    except (ImportError, ValueError, AttributeError):  # a parent is missing, or is no package
        found = False
    if not found:
        problems.append(Problem(key, f"there is no module {path!r}{_did_you_mean(path)}"))
        return None
    try:
        module = importlib.import_module(path)
    except Exception as error:  # whatever a module of somebody else does when it is imported
        problems.append(Problem(key, f"the module {path!r} cannot be imported: {type(error).__name__}: {error}"))
        return None
    if not hooks_of(module):
        problems.append(Problem(key, f"the module {path!r} defines no hook; decorate a function with @hook()"))
        return None
    return module


def _did_you_mean(path: str) -> str:
    parent, _, name = path.rpartition(".")
    try:
        siblings = [found.name for found in pkgutil.iter_modules(importlib.import_module(parent).__path__)]
    except Exception:  # also the parent is somebody else's
        return "; a module of your own must be importable, see PYTHONPATH"
    close = get_close_matches(name, siblings, n=1)
    return f"; did you mean {parent}.{close[0]}?" if close else ""


def _bind(hook: Hook, params: Mapping[str, object], key: str, problems: list[Problem]) -> Iterator[Step]:
    if hook.model is None:
        if params:
            problems.append(
                Problem(f"{key}.params", f"the hook {hook.name!r} takes no parameters; ignored", severity="warning")
            )
        yield Step(hook)
        return
    try:
        yield Step(hook, hook.model.model_validate(dict(params)))
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            place = ".".join(map(str, (f"{key}.params", *problem["loc"])))
            problems.append(Problem(place, f"{problem['msg']} (hook {hook.name!r})"))
