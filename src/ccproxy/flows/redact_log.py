"""Keeps secrets out of the log.

A filter on a *handler* sees every record that the handler writes, whoever logged it; one on a logger would miss what
comes from below. It formats the message and the traceback itself, so that nothing unredacted is left in the record.

    handler.addFilter(RedactingFilter(redactor))
"""

from __future__ import annotations

import logging

from ccproxy.flows.redact import Redactor

_TRACEBACK = logging.Formatter()


class RedactingFilter(logging.Filter):
    """Lets every record pass, without its secrets."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> logging.LogRecord:
        """A clean copy: other handlers of the same record decide for themselves."""
        clean = logging.makeLogRecord(record.__dict__)
        try:
            message = record.getMessage()
        except (TypeError, ValueError) as error:  # a wrong format string must not stop what is being logged
            message = f"{record.msg!s} (cannot be formatted: {error})"
        clean.msg = self._redactor.scrub_text(message)
        clean.args = None
        if record.exc_info and not record.exc_text:
            clean.exc_text = _TRACEBACK.formatException(record.exc_info)
        clean.exc_info = None
        if clean.exc_text:
            clean.exc_text = self._redactor.scrub_text(clean.exc_text)
        if clean.stack_info:
            clean.stack_info = self._redactor.scrub_text(clean.stack_info)
        return clean
