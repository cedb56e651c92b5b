"""The commented ``ccproxy.yaml`` that ``ccproxy init`` writes, generated from the models.

It loads to the defaults. ``# text`` explains; ``#key: value`` is a setting at its default, and in force once the
``#`` is taken away. Keys that have no effect yet are left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from ccproxy.config.hooks import HookEntry
from ccproxy.config.keys import Key, all_keys
from ccproxy.config.known import has_no_effect
from ccproxy.config.model import Config
from ccproxy.config.plain import Plain, block_lines, plain, scalar
from ccproxy.config.section import Section
from ccproxy.config.settings import ROOT

_WIDTH: Final = 100

_HEAD: Final = """\
Configuration of ccproxy.

A line that starts with "#" and a letter is a setting at its default: take the "#" away to change it.
Check the file with `ccproxy config check`, see what is in force with `ccproxy config show`.
A running daemon takes changes over on SIGHUP. Durations are seconds, sizes are bytes."""

EXAMPLES: Final[dict[str, Plain]] = {
    "providers": {
        "anthropic": {
            "type": "anthropic",
            "host": "api.anthropic.com",
            "path": "/v1/messages",
            "auth": {"type": "env", "env": "ANTHROPIC_API_KEY", "header": "x-api-key"},
        },
        "openai": {
            "type": "openai",
            "host": "api.openai.com",
            "path": "/v1/chat/completions",
            "auth": {"type": "env", "env": "OPENAI_API_KEY"},
        },
        "gemini": {
            "type": "google",
            "host": "generativelanguage.googleapis.com",
            "path": "/v1beta/models/{model}:{action}",
            "auth": {"type": "file", "file": "~/.config/keys/gemini", "header": "x-goog-api-key"},
        },
        "deepseek": {
            "type": "deepseek",
            "host": "api.deepseek.com",
            "path": "/anthropic/v1/messages",
            "auth": {"type": "command", "command": "printenv DEEPSEEK_API_KEY", "header": "x-api-key"},
        },
        "local": {"type": "openai", "base_url": "http://127.0.0.1:11434/v1", "path": "/chat/completions"},
    },
    "lightllm.transforms": [{"match_model": "^gpt-", "action": "redirect", "dest_provider": "echo"}],
}
"""Entries that a user would write, by the key that they stand under."""


def template_text() -> str:
    """The whole file."""
    lines = [*_prose(_HEAD, ""), "", f"{ROOT}:", *_section(Config, (), "  ")]
    return "\n".join(lines).rstrip() + "\n"


def _section(section: type[Section], path: tuple[str, ...], indent: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        key = Key((*path, name), field, section)
        if _is_idle(key):
            continue
        yield from _prose(field.description or "", indent)
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Section):
            yield f"{indent}{name}:"
            yield from _section(type(default), key.path, f"{indent}  ")
        elif isinstance(example := EXAMPLES.get(key.dotted), dict):
            yield from _describe(key, indent)
            yield f"{indent}{name}:"
            yield from block_lines(_compact(default), f"{indent}  ")
            yield from (_off(line) for line in block_lines(example, f"{indent}  "))
        elif isinstance(example, list):
            yield from _describe(key, indent)
            yield f"{indent}#{name}:"
            yield from (_off(line) for line in block_lines(example, f"{indent}  "))
        else:
            yield f"{indent}#{name}: {scalar(_compact(default))}"
        if not path:
            yield ""


def _is_idle(key: Key) -> bool:
    """Whether nothing in there has an effect."""
    leaves = [below for star, inner in key.branches if not star for below in all_keys(inner, key.path)]
    return all(has_no_effect(leaf.dotted) for leaf in leaves or [key])


def _describe(key: Key, indent: str) -> Iterator[str]:
    """What an entry under ``key`` can say, as prose."""
    yield f"{indent}# Keys of an entry:"
    for _, inner in key.branches:
        for below in all_keys(inner, (*key.path, "*")):
            if not has_no_effect(below.dotted):
                name = below.dotted.removeprefix(f"{key.dotted}.*.")
                yield from _prose(f"{name}: {below.field.description}", f"{indent}", "  ")


def _compact(value: object) -> Plain:
    """Like ``plain``, without what is at its default anyway; a hook without parameters is its name."""
    match value:
        case HookEntry(params={}):
            return value.name if value.builtin else value.hook
        case Section():
            set_here = {
                name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set
            }
            return {name: _compact(inner) for name, inner in set_here.items()}
        case dict():
            return {str(name): _compact(inner) for name, inner in value.items()}
        case tuple():
            return [_compact(inner) for inner in value]
        case _:
            return plain(value)


def _off(line: str) -> str:
    """A setting that is not in force."""
    text = line.lstrip()
    return f"{line[: len(line) - len(text)]}#{text}"


def _prose(text: str, indent: str, hang: str = "") -> Iterator[str]:
    for paragraph in text.splitlines():
        yield from textwrap.wrap(
            paragraph,
            _WIDTH,
            initial_indent=f"{indent}# {hang}",
            subsequent_indent=f"{indent}# {hang}{hang}",
            break_long_words=False,
            break_on_hyphens=False,
        ) or [f"{indent}#"]
