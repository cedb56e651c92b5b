"""File, environment and flags → ``Config``; all that is wrong with it at once.

>>> loaded = load(find_instance(None, {}), {"CCPROXY_PORT": "4001"})        # doctest: +SKIP
>>> loaded.config.port, loaded.origin(("port",))                            # doctest: +SKIP
(4001, 'CCPROXY_PORT')

A problem reads ``file:line: key: what is wrong``. Errors refuse the configuration; warnings (unknown keys, keys of
things that are not built) come with it, unless ``strict`` makes errors of them. A reload is another ``load``: when
it raises, whoever asked keeps the configuration that he has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ccproxy.config.document import read_document
from ccproxy.config.instance import Instance
from ccproxy.config.known import asked_for, unbuilt_hooks, without_unbuilt_hooks
from ccproxy.config.model import Config
from ccproxy.config.quantities import Places
from ccproxy.config.section import Loc
from ccproxy.config.settings import Settings, add_environment, add_flags, from_file
from ccproxy.config.verdict import describe, is_empty_section, is_unknown_key, place_of
from ccproxy.errors import ConfigError, Problem

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used."""

    config: Config
    warnings: tuple[Problem, ...]
    source: Path | None
    """The file; None where there is none."""
    settings: Settings = field(default_factory=Settings, repr=False)
    """The values as they were written."""

    def origin(self, loc: Loc) -> str:
        """What set the value at ``loc``: ``FILE:LINE``, the variable, the flag, or ``default``."""
        place = self.settings.places.get(loc)
        if place is None and self.settings.is_short_form(loc[:-1]):
            return self.origin(loc[:-1])
        return str(place) if place else DEFAULT


def load(
    instance: Instance,
    environ: Mapping[str, str],
    flags: Mapping[str, str] | None = None,
    *,
    strict: bool = False,
    offline: bool = False,
) -> Loaded:
    """Read the configuration of ``instance``.

    ``flags`` are values by dotted key. ``strict`` makes errors of warnings. ``offline`` reads no file but the
    configuration. No command is ever run. Raises ConfigError with every problem, in the order of the file.
    """
    source = instance.config_file
    data = _read(source)
    settings = from_file(read_document(data, str(source))) if data is not None else Settings()
    add_environment(settings, environ)
    add_flags(settings, flags or {})
    config = _validate(settings, instance)
    if config is not None:
        settings.problems += [settings.problem(found.loc, found.message, warning=True) for found in asked_for(config)]
        for found in reversed([*unbuilt_hooks(config)]):
            settings.drop(found.loc)
        if not offline:
            settings.problems += _unreadable_files(config, settings)
    problems = sorted(settings.problems, key=lambda problem: problem.line or 0)
    if strict:
        problems = [replace(problem, severity="error") for problem in problems]
    if config is None or any(problem.severity == "error" for problem in problems):
        raise ConfigError(*problems)
    return Loaded(without_unbuilt_hooks(config), tuple(problems), source if data is not None else None, settings)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(Problem("", f"cannot be read: {error.strerror}", str(path))) from None


def _validate(settings: Settings, instance: Instance) -> Config | None:
    """The configuration, or None; problems are noted in ``settings``.

    What is only a warning is taken out, and the rest is looked at again.
    """
    places = Places(instance.home, instance.config_dir, instance.state_dir)
    while True:
        try:
            return Config.model_validate(settings.values, context=places)
        except ValidationError as refused:
            errors = refused.errors(include_url=False, include_input=False)
        harmless = [error for error in errors if is_unknown_key(error) or is_empty_section(error, settings)]
        if not harmless:
            settings.problems += [describe(error, settings) for error in errors]
            return None
        settings.problems += [describe(error, settings) for error in harmless if is_unknown_key(error)]
        for loc in sorted((place_of(error) for error in harmless), key=len, reverse=True):
            settings.drop(loc)


def _unreadable_files(config: Config, settings: Settings) -> list[Problem]:
    path = config.upstream_ca_file
    if path is None:
        return []
    try:
        held = b"-----BEGIN CERTIFICATE-----" in path.read_bytes()
    except OSError as error:
        return [settings.problem(("upstream_ca_file",), f"{path} cannot be read: {error.strerror}")]
    return [] if held else [settings.problem(("upstream_ca_file",), f"{path} holds no certificate in PEM form")]
