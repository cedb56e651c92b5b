"""Every form under which a secret travels is a needle."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus, urlencode

import pytest

from ccproxy.flows.needles import forms

SECRETS = ["canary-4f9a61c2e8", "sk-ant-oat01-AbC_dEf-123456", 'we/ird+pa$$ "w&rd\\<é>', "p" * 31]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "Bearer ", "Basic user:"])
@pytest.mark.parametrize("after", ["", "z", "zz", ":"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_at_every_alignment(secret, before, after, encode):
    text = encode(f"{before}{secret}{after}".encode())

    assert any(form in text for form, label in forms(secret).items() if label in ("base64", "raw"))


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "encode",
    [
        str,
        lambda s: quote(s, safe=""),
        quote,
        quote_plus,
        lambda s: urlencode({"key": s}),
        lambda s: json.dumps({"error": f"bad key {s}"}),
        lambda s: json.dumps({"error": f"bad key {s}"}, ensure_ascii=False),
        lambda s: json.dumps([s]).replace("/", "\\/"),
        lambda s: json.dumps([s]).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
        lambda s: json.dumps({"error": json.dumps({"error": s})}),
        lambda s: json.dumps({"error": json.dumps({"error": s}).replace("/", "\\/")}),
        html.escape,
        lambda s: s.encode().hex(),
        lambda s: s.encode().hex().upper(),
        lambda s: quote(base64.b64encode(s.encode()).decode(), safe=""),
        lambda s: json.dumps(base64.b64encode(s.encode()).decode()).replace("/", "\\/"),
    ],
)
def test_text_encodings_are_found(secret, encode):
    text = encode(secret).encode()

    assert any(form in text for form in forms(secret))


def test_a_short_secret_has_no_form_that_hits_by_chance():
    assert set(forms("abc1").values()) == {"raw"}


@pytest.mark.parametrize("secret", SECRETS)
def test_no_form_is_shorter_than_the_secret_suggests(secret):
    assert min(map(len, forms(secret))) >= 8
