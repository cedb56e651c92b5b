"""A configuration as plain values for printing: no secret among them.

A field that is marked secret shows ``***`` for its text; where the secret comes from (a command, a file, a variable)
is shown. Free-form parameters are masked by their names, and whatever looks like a vendor's key is masked everywhere:
people put keys into commands.

>>> plain(Config(listener_token="abc"))["listener_token"]
'***'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import yaml

from ccproxy.config.section import SECRET, Loc, Section

type Plain = bool | int | float | str | list[Plain] | dict[str, Plain] | None

MASK: Final = "***"
_SECRET_NAME: Final = re.compile(r"token|secret|passw|credential|api.?key|cookie|session", re.IGNORECASE)
_KEY_LIKE: Final = re.compile(
    r"\b(?:sk-|AIza|gh[pousr]_|github_pat_|xox[a-z]-|ya29\.|eyJ[\w-]+\.)[\w.-]{8,}"
    r"|(?<=[?&]key=)[^&\s]+"
    r"|(?<=Bearer )[\w.~+/=-]+"
)


def plain(value: object, *, secret: bool = False) -> Plain:
    """``value`` as YAML and JSON can write it."""
    match value:
        case Section():
            return {
                name: plain(getattr(value, name), secret=field.json_schema_extra == SECRET.json_schema_extra)
                for name, field in type(value).model_fields.items()
            }
        case Mapping():
            named = {str(key): item for key, item in value.items()}
            return {key: plain(item, secret=secret or bool(_SECRET_NAME.search(key))) for key, item in named.items()}
        case list() | tuple():
            return [plain(item, secret=secret) for item in value]
        case None | bool():
            return value
        case int() | float():
            return MASK if secret else value
        case _:
            return MASK if secret else _KEY_LIKE.sub(MASK, str(value))


def scalar(value: Plain) -> str:
    """``value`` on one line of YAML."""
    text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=True, width=1 << 20)
    return text.removesuffix("\n").removesuffix("\n...")


def is_leaf(value: Plain) -> bool:
    """A scalar, a list of scalars, or something empty: what goes on one line."""
    if isinstance(value, list):
        return not any(isinstance(item, dict | list) and item for item in value)
    return not value or not isinstance(value, dict)


def block_lines(
    value: Plain, indent: str, remark: Callable[[Loc], str] = lambda loc: "", loc: Loc = ()
) -> Iterator[str]:
    """``value`` as lines of YAML in block style; ``remark`` is put behind each leaf."""
    match value:
        case dict() if value:
            for key, inner in value.items():
                start = f"{indent}{scalar(key)}:"
                if is_leaf(inner):
                    yield f"{start} {scalar(inner)}{remark((*loc, key))}"
                else:
                    yield start
                    yield from block_lines(inner, f"{indent}  ", remark, (*loc, key))
        case list() if not is_leaf(value):
            for index, inner in enumerate(value):
                lines = block_lines(inner, f"{indent}  ", remark, (*loc, index))
                yield f"{indent}- {next(lines).lstrip()}"
                yield from lines
        case _:
            yield f"{indent}{scalar(value)}{remark(loc)}"
