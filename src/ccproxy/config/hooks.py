"""Which hooks run, in which stage and order.

An entry is the name of a built-in hook, the dotted path of a module, or a mapping with parameters::

    outbound:
      - verbose_mode
      - ccproxy.hooks.verbose_mode        # the same hook, spelt as in version 2
      - {hook: my_company.hooks.tagging, params: {team: infra}}
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from ccproxy.config.section import Section, did_you_mean

PACKAGE: Final = "ccproxy.hooks"

BUILT: Final = ("inject_auth", "extract_session_id", "verbose_mode", "commitbee_compat")
"""The built-in hooks that exist; a test compares them with ``ccproxy.hooks``."""

UNBUILT: Final = (
    "cache_breakpoints",
    "extract_pplx_files",
    "gemini_cli",
    "inject_mcp_notifications",
    "pplx_preflight",
    "pplx_stamp_headers",
    "pplx_thread_inject",
    "shape",
)
"""Names that a configuration may use; such an entry is skipped with a warning."""


def _hook(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", value):
        raise ValueError("should be the name of a built-in hook, or the dotted path of a module")
    package, _, name = value.rpartition(".")
    if package not in ("", PACKAGE):
        return value
    known = (*BUILT, *UNBUILT)
    if name not in known and not name.startswith("pplx_"):
        own = "" if package else "; a module of your own is named by its dotted path"
        raise ValueError(f'"{name}" is no built-in hook{did_you_mean(name, known)}{own}')
    return f"{PACKAGE}.{name}"


class HookEntry(Section):
    """One hook of a stage."""

    hook: Annotated[str, AfterValidator(_hook)]
    """Name of a built-in hook, or dotted path of a module of your own."""
    params: dict[str, object] = Field(default_factory=dict)
    """Parameters, checked by the hook's own model."""

    @property
    def path(self) -> str:
        """Dotted path of the module, ``ccproxy.hooks.inject_auth``."""
        return self.hook

    @property
    def name(self) -> str:
        """Last part of the path, ``inject_auth``."""
        return self.hook.rpartition(".")[2]

    @property
    def builtin(self) -> bool:
        """Whether the module is one of ccproxy's own."""
        return self.hook.rpartition(".")[0] == PACKAGE

    @property
    def built(self) -> bool:
        """False for a built-in hook of which only the name is known."""
        return not self.builtin or self.name in BUILT


def _entry(value: object) -> object:
    return {"hook": value} if isinstance(value, str) else value


HookList = tuple[Annotated[HookEntry, BeforeValidator(_entry, json_schema_input_type=str | HookEntry)], ...]


def entries(*names: str) -> tuple[HookEntry, ...]:
    """Entries of hooks without parameters."""
    return tuple(HookEntry(hook=name) for name in names)


class Hooks(Section):
    """The two stages: `inbound` runs before the route is chosen, `outbound` after it."""

    inbound: HookList = entries("inject_auth", "extract_session_id")
    """Hooks that run before the route is chosen, in this order where it matters."""
    outbound: HookList = entries("verbose_mode")
    """Hooks that run after the route is chosen."""
