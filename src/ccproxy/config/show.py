"""The configuration in effect, and what set each value: what ``config show`` prints.

::

    # /home/me/.config/ccproxy/ccproxy.yaml
    ccproxy:
      host: 127.0.0.1  # default
      port: 4001  # CCPROXY_PORT
      providers:
        openai:
          type: openai  # line 4
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ccproxy.config.load import Loaded
from ccproxy.config.plain import Plain, block_lines, is_leaf, plain
from ccproxy.config.section import Loc
from ccproxy.config.settings import ROOT


def as_yaml(loaded: Loaded) -> str:
    """YAML that loads to the same configuration, but for secrets; the origin of each value as a comment."""
    head = f"# {loaded.source}" if loaded.source else "# There is no configuration file."
    lines = block_lines(plain(loaded.config), "  ", lambda loc: f"  # {_origin(loc, loaded)}")
    return "\n".join([head, f"{ROOT}:", *lines]) + "\n"


def as_json(loaded: Loaded) -> str:
    """``{"file", "config", "origins": {dotted key: origin}, "warnings"}``."""
    config = plain(loaded.config)
    return (
        json.dumps(
            {
                "file": str(loaded.source) if loaded.source else None,
                "config": config,
                "origins": {".".join(map(str, loc)): loaded.origin(loc) for loc in _leaves(config, ())},
                "warnings": [str(problem) for problem in loaded.warnings],
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


def _origin(loc: Loc, loaded: Loaded) -> str:
    origin = loaded.origin(loc)
    return origin.replace(f"{loaded.source}:", "line ", 1) if loaded.source else origin


def _leaves(value: Plain, loc: Loc) -> Iterator[Loc]:
    if is_leaf(value):
        yield loc
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from _leaves(inner, (*loc, key))
