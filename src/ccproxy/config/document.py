"""YAML text → plain values, each with the line it is on.

PyYAML's C composer gives the node tree, which still knows the lines; values are made from it here. Stricter than
YAML 1.1 where that keeps a file from meaning something else than it says: a key that occurs twice is an error, and a
key is always the text that was written (``on:`` is not true, ``404:`` is not a number). Anchors, aliases and merge
keys work; an alias to something that contains it, and one that unfolds without end, are refused.

>>> document = read_document("port: 4001\\nhooks:\\n  inbound: [a]\\n", "c.yaml")
>>> document.value["port"], document.lines["hooks", "inbound"]
(4001, 3)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

from ccproxy.config.section import Loc
from ccproxy.errors import ConfigError, Problem

_COLLECTIONS: Final = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_MERGE: Final = "tag:yaml.org,2002:merge"
_MOST_VALUES: Final = 100_000


@dataclass(slots=True)
class Document:
    """One parsed file."""

    file: str
    value: object = None
    lines: dict[Loc, int] = field(default_factory=dict)
    """Where each key and list item is, 1-based."""
    problems: list[Problem] = field(default_factory=list)
    """What is wrong with the parts that could be read past."""


def read_document(data: bytes | str, file: str) -> Document:
    """Parse the content of ``file``. Raises ConfigError where the rest cannot be understood either."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(Problem("", "is not UTF-8 text", file, line)) from None
    loader = yaml.CSafeLoader(text)
    document = Document(file)
    try:
        root = loader.get_single_node()
        if root is not None:
            document.value = _Values(loader, document).make(root, ())
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            Problem("", f"holds a character that YAML does not allow: {error.reason}", file, line)
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(Problem("", f"is not YAML: {error.problem}", file, mark.line + 1 if mark else None)) from None
    except RecursionError:
        raise ConfigError(Problem("", "is nested too deeply", file)) from None
    finally:
        loader.dispose()
    return document


class _Values:
    """Makes plain values from nodes, and notes where they are."""

    def __init__(self, loader: yaml.CSafeLoader, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._open: set[int] = set()
        self._count = 0

    def make(self, node: yaml.Node, loc: Loc) -> object:
        self._count += 1
        if id(node) in self._open or self._count > _MOST_VALUES:
            raise ConfigError(self._problem(node, loc, "unfolds without end: an alias contains itself"))
        self._open.add(id(node))
        try:
            if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
                self._document.problems.append(self._problem(node, loc, f"has the tag {node.tag}, which means nothing"))
            match node:
                case yaml.MappingNode():
                    return {key: self.make(value, (*loc, key)) for key, value in self._pairs(node, loc)}
                case yaml.SequenceNode():
                    items = []
                    for index, item in enumerate(node.value):
                        self._document.lines[*loc, index] = _line(item)
                        items.append(self.make(item, (*loc, index)))
                    return items
                case _:
                    return self._scalar(node, loc)
        finally:
            self._open.remove(id(node))

    def _pairs(self, node: yaml.MappingNode, loc: Loc) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, int] = {}
        merges = False
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(self._problem(key, loc, "has a key that is not text"))
            if key.tag == _MERGE:
                merges = True
            elif key.value in seen:
                where = f"occurs twice, first on line {seen[key.value]}"
                self._document.problems.append(self._problem(key, (*loc, key.value), where))
            else:
                seen[key.value] = _line(key)
        if merges:
            # Puts the merged pairs before the node's own, which therefore win.
            self._loader.flatten_mapping(node)
        for key, value in node.value:
            self._document.lines[*loc, key.value] = _line(key)
            yield key.value, value

    def _scalar(self, node: yaml.Node, loc: Loc) -> object:
        try:
            value: object = self._loader.construct_object(node)
        except (yaml.MarkedYAMLError, ValueError):
            self._document.problems.append(
                self._problem(node, loc, "cannot be read; put quotes around it, and no tag before it")
            )
            return None
        return value

    def _problem(self, node: yaml.Node, loc: Loc, message: str) -> Problem:
        return Problem(".".join(map(str, loc)), message, self._document.file, _line(node))


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1
