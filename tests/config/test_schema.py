"""The JSON schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import jsonschema
import pytest
import yaml

from ccproxy.config.keys import all_keys
from ccproxy.config.schema import json_schema, schema_text
from tests.config.support import FIXTURE


def accepts(body: object) -> bool:
    return jsonschema.Draft202012Validator(json_schema()).is_valid({"ccproxy": body})


def test_it_is_a_schema_and_a_full_configuration_fits() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(yaml.safe_load(FIXTURE.read_text()), json_schema())


@pytest.mark.parametrize(
    "body",
    [
        {"port": 4001, "log_level": "DEBUG"},
        {"providers": {"p": {"type": "openai", "host": "h", "auth": "printenv X"}}},
        {"providers": {"p": {"type": "openai", "host": "h", "auth": {"env": "X"}}}},
        {"hooks": {"inbound": ["inject_auth", {"hook": "a.b", "params": {"x": 1}}]}},
        {"listener_token": "abc", "inspector": {"mitmproxy": {"body_size_limit": "3m"}}},
    ],
)
def test_what_loads_fits(body: object) -> None:
    assert accepts(body)


@pytest.mark.parametrize(
    "body",
    [
        {"port": "high"},
        {"port": 0},
        {"prot": 4001},
        {"log_level": "LOUD"},
        {"providers": {"p": {"type": "opnai", "host": "h"}}},
        {"providers": {"p": {"host": "h"}}},
        {"providers": {"p": {"type": "openai", "host": "h", "auth": {"type": "literal"}}}},
        {"lightllm": {"transforms": [{"action": "drop"}]}},
    ],
)
def test_what_does_not_load_does_not_fit(body: object) -> None:
    assert not accepts(body)


def test_it_is_the_same_text_every_time() -> None:
    program = "import sys; from ccproxy.config.schema import schema_text; sys.stdout.write(schema_text())"
    for seed in ("1", "2"):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "HOME": f"/home/{seed}"}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True, env=environ)
        assert done.stdout.decode() == schema_text()


def test_every_key_is_described() -> None:
    text = schema_text()
    for key in all_keys():
        assert json.dumps(key.field.description, ensure_ascii=False) in text, key.dotted


def test_secrets_are_marked() -> None:
    config = json_schema()["$defs"]["Config"]["properties"]
    assert config["listener_token"]["writeOnly"] is True
    assert "writeOnly" not in config["host"]
