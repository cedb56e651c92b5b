"""The keys of the schema as a tree, read off the models: for suggestions, the template and the tests.

>>> next(key for key in all_keys() if key.dotted == "providers.*.type").section.__name__
'Provider'
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeIs, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from ccproxy.config.model import Config
from ccproxy.config.section import Loc, Section


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the schema."""

    path: tuple[str, ...]
    """Keys from the root; ``*`` stands for a name that the user chooses and for a list index."""
    field: FieldInfo
    section: type[Section]
    """The section that declares it."""

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    @property
    def branches(self) -> tuple[tuple[str, type[Section]], ...]:
        """The sections beneath, each with the ``*`` that leads there: ``(("*", Provider),)``."""
        return tuple(dict.fromkeys(_sections(self.field.annotation, "")))


def all_keys(section: type[Section] = Config, above: tuple[str, ...] = ()) -> Iterator[Key]:
    """Every key, each before those beneath it, in the order of the schema."""
    seen: set[str] = set()
    for name, field in section.model_fields.items():
        key = Key((*above, name), field, section)
        yield key
        for star, inner in key.branches:
            for below in all_keys(inner, (*key.path, *star)):
                if below.dotted not in seen:  # the sources of a credential share some
                    seen.add(below.dotted)
                    yield below


def names_at(loc: Loc) -> tuple[str, ...]:
    """The keys that the section at ``loc`` knows."""
    found: list[object] = [Config]
    for step in loc:
        found = [beneath for annotation in found for beneath in _step(annotation, step)]
    sections = [member for annotation in found for member in _members(annotation) if _is_section(member)]
    return tuple(dict.fromkeys(name for section in sections for name in section.model_fields))


def scalar_names() -> tuple[str, ...]:
    """The keys of the root that a line of text can set: those that the environment has a variable for."""
    return tuple(
        name for name, field in Config.model_fields.items() if any(map(_is_scalar, _members(field.annotation)))
    )


def _members(annotation: object) -> Iterator[object]:
    """The alternatives of a type, without what is annotated on it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _sections(annotation: object, star: str) -> Iterator[tuple[str, type[Section]]]:
    for member in _members(annotation):
        if _is_section(member):
            yield star, member
        elif (item := _item(member)) is not None:
            yield from _sections(item, "*")


def _step(annotation: object, step: str | int) -> Iterator[object]:
    for member in _members(annotation):
        if _is_section(member):
            if step in member.model_fields:
                yield member.model_fields[str(step)].annotation
        elif (item := _item(member)) is not None:
            yield item


def _item(member: object) -> object:
    """The type of a value of a dict or of an item of a tuple; None for anything else."""
    match get_origin(member):
        case origin if origin is dict:
            return get_args(member)[1]
        case origin if origin is tuple:
            return get_args(member)[0]
        case _:
            return None


def _is_section(member: object) -> TypeIs[type[Section]]:
    return isinstance(member, type) and issubclass(member, Section)


def _is_scalar(member: object) -> bool:
    return member in (str, int, float, bool, Path) or get_origin(member) is Literal
