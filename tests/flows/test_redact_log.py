"""Nothing that a handler writes holds a secret."""

from __future__ import annotations

import io
import logging

import pytest

from ccproxy.flows.redact import Redactor
from ccproxy.flows.redact_log import RedactingFilter

CANARY = "canary-4f9a61c2e8"


@pytest.fixture
def log():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(Redactor(lambda: frozenset({CANARY}))))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, stream


@pytest.mark.parametrize(
    "say",
    [
        lambda log: log.error(f"plain {CANARY}"),
        lambda log: log.error("argument %s", CANARY),
        lambda log: log.error("mapping %(key)s", {"key": CANARY}),
        lambda log: log.error("object %r", ValueError(CANARY)),
        lambda log: log.error("stack", stack_info=True),
        lambda log: log.error(f"wrong format {CANARY} %d", "x"),
    ],
)
def test_messages(log, say):
    logger, stream = log
    say(logger)

    assert stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_tracebacks(log):
    logger, stream = log
    try:
        raise ValueError(f"key {CANARY} refused")
    except ValueError:
        logger.exception("it failed")

    assert "it failed" in stream.getvalue()
    assert "ValueError: key [redacted] refused" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_other_handlers_see_the_record_as_it_was(log):
    logger, _ = log
    plain = io.StringIO()
    logger.addHandler(logging.StreamHandler(plain))
    logger.error("argument %s", CANARY)

    assert CANARY in plain.getvalue()
