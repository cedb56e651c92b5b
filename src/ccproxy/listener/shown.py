"""What the web UI shows: flows and log lines without the secrets in them.

A flow never holds a credential of ours, but it may hold others: the key that a client sent of its own, the listener's
token behind a sentinel, what a person typed into a prompt, what a provider said back. The store cuts all that out, and
so does the web UI:

* a flow that has ended is cleaned itself, once, when somebody first looks: lists, contents, exports and saved files
  are then all clean, and a listener at which nobody looks spends nothing;
* one that is under way is needed as it is, so that a clean copy is shown.
"""

from __future__ import annotations

import copy
import logging
import weakref
from collections.abc import Callable
from typing import Any, Final

from mitmproxy import flow, http
from mitmproxy.log import MitmFormatter
from mitmproxy.tools.web import app

from ccproxy.flows.content import undo
from ccproxy.flows.own_keys import own_keys
from ccproxy.flows.patterns import is_secret_header
from ccproxy.flows.redact import Redactor, scrub_value

DECODED_BYTES: Final = 64 << 20
"""Most of an encoded body that is looked into."""


class Cleaner:
    """Gives flows as they may be shown."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.cleaned: weakref.WeakSet[flow.Flow] = weakref.WeakSet()

    def __call__(self, found: flow.Flow) -> flow.Flow:
        if not isinstance(found, http.HTTPFlow):
            return found
        if found.live:
            found = shallow(found)
        elif found in self.cleaned:
            return found
        else:
            self.cleaned.add(found)
        clean(found, self.redactor)
        return found


def shallow(found: http.HTTPFlow) -> http.HTTPFlow:
    """A copy whose messages can be changed without changing those of ``found``."""
    shown = copy.copy(found)
    shown.error = copy.copy(found.error)
    shown.request = copy.copy(found.request)
    shown.request.data = copy.copy(found.request.data)
    if found.response is not None:
        shown.response = copy.copy(found.response)
        shown.response.data = copy.copy(found.response.data)
    return shown


def clean(found: http.HTTPFlow, redactor: Redactor) -> None:
    """Cut secrets out of a flow. Bodies keep their length."""
    redactor = redactor.also(own_keys(found.request.headers.fields, found.request.path))
    found._backup = None  # what it was before somebody edited it
    found.comment = redactor.scrub_text(found.comment)
    if found.error is not None:
        found.error.msg = redactor.scrub_text(found.error.msg)
    found.request.data.path = redactor.scrub(found.request.data.path)
    clean_message(found.request, redactor)
    if found.response is not None:
        found.response.data.reason = redactor.scrub(found.response.data.reason)
        clean_message(found.response, redactor)


def clean_message(message: http.Message, redactor: Redactor) -> None:
    data = message.data
    data.headers = clean_fields(data.headers, redactor)
    if data.trailers is not None:
        data.trailers = clean_fields(data.trailers, redactor)
    if not data.content:
        return
    coding = data.headers.get("content-encoding", "")
    plain = undo(coding, data.content, limit=DECODED_BYTES) if coding else None
    if plain is not None and redactor.suspect(plain.data):
        data.content = plain.data
        del data.headers["content-encoding"]
    data.content = redactor.scrub_body(data.content, truncated=True).data  # a capture may end in the middle of one


def clean_fields(headers: http.Headers, redactor: Redactor) -> http.Headers:
    return http.Headers(
        [
            (redactor.scrub(name), redactor.scrub(scrub_value(name, value) if is_secret_header(name) else value))
            for name, value in headers.fields
        ]
    )


class ReadsMany:
    """A page that, asked by GET, gets all flows as they may be shown; a change applies to the flows themselves."""

    request: Any
    application: Any

    @property
    def view(self) -> Any:
        found = super().view  # type: ignore[misc]
        return [*map(self.application.cleaner, found)] if self.request.method == "GET" else found


class ReadsOne:
    """The same for a page about one flow."""

    request: Any
    application: Any

    @property
    def flow(self) -> Any:
        found = super().flow  # type: ignore[misc]
        return self.application.cleaner(found) if self.request.method == "GET" else found


class Flows(ReadsMany, app.Flows): ...


class DumpFlows(ReadsMany, app.DumpFlows): ...


class FlowContent(ReadsOne, app.FlowContent): ...


class FlowContentView(ReadsOne, app.FlowContentView): ...


READING: Final = {page.__bases__[1]: page for page in (Flows, DumpFlows, FlowContent, FlowContentView)}
"""mitmproxy's page → ours."""


def show_clean(application: app.Application, cleaner: Cleaner) -> None:
    """Have the pages of the web UI show what ``cleaner`` gives."""
    application.cleaner = cleaner  # type: ignore[attr-defined]
    pages = [(path, READING[page]) for path, page in app.handlers if page in READING]
    assert len(pages) == len(READING), "mitmproxy's web UI has other pages: use the locked version"
    application.add_handlers(r".*", pages)


class CleanEvents(MitmFormatter):
    """mitmproxy's format of a log line in the web UI, scrubbed like those of the log."""

    def __init__(self, scrub: Callable[[str], str]) -> None:
        super().__init__(colorize=False)
        self.scrub = scrub

    def format(self, record: logging.LogRecord) -> str:
        return self.scrub(super().format(record))
