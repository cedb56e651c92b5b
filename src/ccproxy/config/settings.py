"""The values of one configuration before they are checked, each with the place that set it.

Later layers win: file, then environment, then flags. An environment variable that is empty counts as unset.

====================  ======================================================================
source                sets
====================  ======================================================================
file                  any key
``CCPROXY_<FIELD>``   a scalar at the root, ``CCPROXY_PORT``
``LOG_LEVEL``         ``log_level``, unless CCPROXY_LOG_LEVEL does
flag                  any scalar, by its dotted key, ``inspector.port``
====================  ======================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, get_args

from ccproxy.config.document import Document
from ccproxy.config.keys import scalar_names
from ccproxy.config.quantities import LogLevel
from ccproxy.config.section import Loc, did_you_mean
from ccproxy.errors import Problem

ROOT: Final = "ccproxy"
"""The one key at the top of the file."""


@dataclass(frozen=True, slots=True)
class Place:
    """What set a value."""

    name: str = ""
    """The variable or flag; empty for the file."""
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return self.name or f"{self.file}:{self.line}"


@dataclass(slots=True)
class Settings:
    """Values as written, and where."""

    values: dict[str, object] = field(default_factory=dict, repr=False)
    places: dict[Loc, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    file: str | None = None

    def place(self, loc: Loc) -> Place:
        """What set the value at ``loc``, or the nearest thing around it."""
        for end in range(len(loc), 0, -1):
            if (place := self.places.get(loc[:end])) is not None:
                return place
        return Place(file=self.file)

    def problem(self, loc: Loc, message: str, *, warning: bool = False) -> Problem:
        """A problem with the value at ``loc``."""
        while self.is_short_form(loc[:-1]):
            loc = loc[:-1]
        place = self.place(loc)
        key = place.name or ".".join(map(str, loc))
        return Problem(key, message, place.file, place.line, "warning" if warning else "error")

    def put(self, loc: tuple[str, ...], value: object, place: Place) -> None:
        """Set one value, making the sections around it."""
        level = self.values
        for key in loc[:-1]:
            inner = level.get(key)
            if not isinstance(inner, dict):
                inner = level[key] = {}
            level = inner
        level[loc[-1]] = value
        for below in [known for known in self.places if known[: len(loc)] == loc]:
            del self.places[below]
        self.places[loc] = place

    def value(self, loc: Loc) -> object:
        """The value at ``loc`` as it was written; None where there is none."""
        found: object = self.values
        for step in loc:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found

    def is_short_form(self, loc: Loc) -> bool:
        """Whether a section was written as one value: a bare command, or the bare name of a hook."""
        return bool(loc) and not isinstance(self.value(loc), dict | list | None)

    def drop(self, loc: Loc) -> None:
        """Take one value out; the items of a list that follow it move up."""
        around, last = self.value(loc[:-1]), loc[-1]
        if isinstance(around, dict):
            around.pop(last, None)
        elif isinstance(around, list) and isinstance(last, int) and last < len(around):
            del around[last]
            self.places = {moved: place for at, place in self.places.items() if (moved := _moved_up(at, loc))}


def from_file(document: Document) -> Settings:
    """The settings of a file. What stands outside ``ccproxy:`` is reported."""
    inside = [replace(problem, key=problem.key.removeprefix(f"{ROOT}.")) for problem in document.problems]
    settings = Settings(problems=inside, file=document.file)
    top = document.value
    if top is None:
        return settings
    if not isinstance(top, dict):
        settings.problems.append(Problem("", f'should be a mapping with the key "{ROOT}"', document.file, 1))
        return settings
    names = scalar_names()
    for key in top:
        if key != ROOT:
            settings.problems.append(_stray(key, names, document))
    body = top.get(ROOT)
    if isinstance(body, dict):
        settings.values = body
    elif body is not None:
        settings.problems.append(
            Problem(ROOT, "should be a mapping of keys", document.file, document.lines.get((ROOT,)))
        )
    for loc, line in document.lines.items():
        if loc[0] == ROOT and len(loc) > 1:
            settings.places[loc[1:]] = Place(file=document.file, line=line)
    return settings


def add_environment(settings: Settings, environ: Mapping[str, str]) -> None:
    """Lay the environment over the file."""
    generic = environ.get("LOG_LEVEL", "")
    if generic and not environ.get("CCPROXY_LOG_LEVEL"):
        levels = get_args(get_args(LogLevel)[0])
        if generic.upper() in levels:
            settings.put(("log_level",), generic, Place("LOG_LEVEL"))
        else:  # many programs read this variable, each with words of its own
            message = f"is ignored: it is none of {', '.join(levels)}"
            settings.problems.append(Problem("LOG_LEVEL", message, severity="warning"))
    for name in scalar_names():
        variable = f"CCPROXY_{name.upper()}"
        if value := environ.get(variable):
            settings.put((name,), value, Place(variable))


def add_flags(settings: Settings, flags: Mapping[str, str]) -> None:
    """Lay the command line over everything; ``flags`` are dotted keys."""
    for key, value in flags.items():
        settings.put(tuple(key.split(".")), value, Place(f"--{key}"))


def _moved_up(loc: Loc, gone: Loc) -> Loc:
    """Where ``loc`` is once the list item ``gone`` is out; empty if it was in there."""
    depth = len(gone) - 1
    if len(loc) <= depth or loc[:depth] != gone[:depth]:
        return loc
    index, last = loc[depth], gone[depth]
    assert isinstance(index, int)
    assert isinstance(last, int)
    if index == last:
        return ()
    return loc if index < last else (*loc[:depth], index - 1, *loc[depth + 1 :])


def _stray(key: str, names: tuple[str, ...], document: Document) -> Problem:
    if key in names:
        message = f'is ignored: it belongs under "{ROOT}:"'
    else:
        message = f'is ignored: everything is under the one key "{ROOT}:"{did_you_mean(key, (ROOT, *names))}'
    return Problem(key, message, document.file, document.lines.get((key,)), "warning")
