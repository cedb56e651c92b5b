"""What `ccproxy init` writes."""

from __future__ import annotations

import re
from pathlib import Path

from ccproxy.config.keys import all_keys
from ccproxy.config.known import has_no_effect
from ccproxy.config.model import Config
from ccproxy.config.section import Section
from ccproxy.config.template import EXAMPLES, template_text
from tests.config.support import load_text


def uncommented() -> str:
    """The template with every setting in force: `#` and a letter is a setting, `# ` is prose."""
    return re.sub(r"^( *)#(?=[a-z-])", r"\1", template_text(), flags=re.MULTILINE)


def test_it_loads_to_the_defaults(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, template_text(), strict=True)
    assert loaded.config == load_text(tmp_path, None).config


def test_every_setting_in_it_is_at_its_default(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, uncommented(), strict=True)
    for name in Config.model_fields:
        if name not in ("providers", "lightllm"):
            assert getattr(loaded.config, name) == getattr(load_text(tmp_path, None).config, name), name


def test_its_examples_are_usable(tmp_path: Path) -> None:
    config = load_text(tmp_path, uncommented(), strict=True).config
    assert list(config.providers) == ["echo", *EXAMPLES["providers"]]  # type: ignore[misc]
    assert len(config.transforms) == 1


def test_it_has_every_key_that_has_an_effect_with_its_meaning() -> None:
    text = template_text()
    flat = re.sub(r"\s*\n *# +", " ", text)
    for key in all_keys():
        shared = key.path[:2] == ("inspector", "transforms") and len(key.path) > 2
        token = any(part in key.dotted for part in ("listener_token.", "web_password.", "mcp.http.auth."))
        hook = key.path[0] == "hooks" and len(key.path) > 2
        if has_no_effect(key.dotted) or shared or token or hook:
            continue
        assert re.search(rf"^ *#? *(.*\.)?{re.escape(key.path[-1])}:", text, re.MULTILINE), key.dotted
        assert (key.field.description or "") in flat, key.dotted


def test_it_leaves_out_what_has_no_effect() -> None:
    for key in ("otel", "gemini_capacity", "shaping", "pplx", "wg_keylog", "client_secret", "buffer"):
        assert f"{key}:" not in template_text()


def test_sections_are_in_force_and_settings_are_not() -> None:
    sections = {name for name, field in Config.model_fields.items() if isinstance(field.get_default(), Section)}
    in_force = re.findall(r"^  ([a-z_]+):", template_text(), re.MULTILINE)
    assert set(in_force) <= sections | {"providers"}
