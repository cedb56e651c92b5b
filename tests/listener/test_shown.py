"""What the web UI shows of a flow, and what it leaves as it is."""

from __future__ import annotations

import gzip
import logging
import warnings

import pytest
from mitmproxy import http
from mitmproxy.flow import Error
from mitmproxy.test.tflow import tflow, ttcpflow

from tests.flows.records import SENTINEL, redactor

with warnings.catch_warnings():  # what mitmproxy's web UI imports uses old names of pyparsing and ldap3
    warnings.simplefilter("ignore", DeprecationWarning)
    from ccproxy.listener.shown import Cleaner, CleanEvents

OURS = "the-credential-of-a-provider"
THEIRS = "a-key-of-the-clients-own"


def made(*, live: bool) -> http.HTTPFlow:
    flow = tflow(resp=True, err=True)
    flow.live = live
    assert flow.response is not None
    flow.error = Error(f"cannot read {OURS}")
    flow.request.path = f"/v1/messages?key={THEIRS}"
    flow.request.headers = http.Headers([(b"X-Api-Key", THEIRS.encode()), (b"x-note", OURS.encode())])
    flow.request.trailers = http.Headers([(b"x-note", OURS.encode())])
    flow.request.raw_content = f'{{"said": "{OURS}"}}'.encode()
    flow.response.reason = f"bad {OURS}"
    flow.response.headers = http.Headers([(b"set-cookie", f"a={OURS}; Path=/".encode()), (b"x-said", THEIRS.encode())])
    flow.response.raw_content = f"not {THEIRS}, not {OURS}".encode()
    return flow


def everything(flow: http.HTTPFlow) -> str:
    return repr(flow.get_state())


@pytest.fixture
def cleaner() -> Cleaner:
    return Cleaner(redactor(OURS))


def test_a_flow_under_way_is_shown_clean_and_stays_as_it_is(cleaner: Cleaner) -> None:
    flow = made(live=True)
    before = everything(flow)
    shown = cleaner(flow)
    assert isinstance(shown, http.HTTPFlow)
    assert shown.id == flow.id
    assert OURS not in everything(shown)
    assert THEIRS not in everything(shown)
    assert everything(flow) == before


def test_a_flow_that_has_ended_is_cleaned_once(cleaner: Cleaner) -> None:
    flow = made(live=False)
    assert cleaner(flow) is flow
    assert OURS not in everything(flow)
    assert THEIRS not in everything(flow)
    assert flow.request.path == "/v1/messages?key=[redacted]"
    assert flow.request.headers["x-api-key"] == "[redacted]"
    assert flow.request.raw_content == b'{"said": "' + b"*" * len(OURS) + b'"}'
    flow.request.path = "/edited"
    assert cleaner(flow) is flow
    assert flow.request.path == "/edited"


def test_what_a_flow_was_before_it_was_edited_goes_too(cleaner: Cleaner) -> None:
    flow = made(live=False)
    flow.backup()
    flow.request.path = "/edited"
    assert OURS in everything(flow)
    assert OURS not in everything(cleaner(flow))  # type: ignore[arg-type]


def test_a_secret_in_an_encoded_body_is_found(cleaner: Cleaner) -> None:
    flow = made(live=False)
    flow.request.headers["content-encoding"] = "gzip"
    flow.request.raw_content = gzip.compress(f"say {OURS}".encode())
    cleaner(flow)
    assert flow.request.content == b"say " + b"*" * len(OURS)


def test_what_holds_no_secret_is_not_touched(cleaner: Cleaner) -> None:
    flow = tflow(resp=True)
    flow.live = False
    flow.request.headers["x-api-key"] = SENTINEL
    flow.request.headers["content-encoding"] = "gzip"
    flow.request.raw_content = gzip.compress(b"say nothing")
    before = everything(flow)
    cleaner(flow)
    assert everything(flow) == before


def test_flows_of_other_kinds_are_let_be(cleaner: Cleaner) -> None:
    flow = ttcpflow()
    assert cleaner(flow) is flow


def test_a_line_of_the_event_log_is_scrubbed() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f.py", 1, "it is %s", (OURS,), None)
    assert CleanEvents(redactor(OURS).scrub_text).format(record).endswith("it is [redacted]")
