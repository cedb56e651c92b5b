"""Where tokens come from: one class for each ``auth.type`` that is built.

=========================  ============================  ==============================================
``auth``                   :meth:`TokenReader.peek`      :meth:`TokenReader.read`
=========================  ============================  ==============================================
``{type: command, …}``     kept ``auth.command_cache_s``  runs the command (:mod:`ccproxy.auth.command`)
``{type: file, …}``        one ``stat``                  reads the file (:mod:`ccproxy.auth.file`)
``{type: env, env: NAME}``  always                       the same
=========================  ============================  ==============================================

A new source is a class here and a ``case`` in :func:`open_source`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ccproxy.auth.command import run_command
from ccproxy.auth.file import TokenFile
from ccproxy.auth.token import SourceFailure, clean_token
from ccproxy.config.auth import AuthSource, CommandAuth, EnvAuth, FileAuth
from ccproxy.config.model import Config
from ccproxy.errors import CredentialError

type Clock = Callable[[], float]

FAILURE_CACHE_S = 2.0
"""How long a failed command is not run again, so that a flood of requests does not become a flood of processes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a source may cost."""

    timeout_s: float
    """Seconds that a command may take."""
    cache_s: float
    """Seconds that a command's token is used before it is run again."""
    output_limit: int
    """Most bytes of a command's output, or of a file."""

    @classmethod
    def of(cls, config: Config) -> Limits:
        auth = config.auth
        return cls(auth.command_timeout_seconds, auth.command_cache_s, auth.output_limit_bytes)


class TokenReader(Protocol):
    """Something that gives a token. Failures are SourceFailure: a clause that continues ``what``."""

    @property
    def what(self) -> str:
        """Names it in a message, ``auth file /home/u/key``; never a secret."""

    @property
    def notices(self) -> bool:
        """Whether ``peek`` sees that the token was replaced: its None then means that there is another one."""

    def peek(self) -> str | None:
        """The token, if it is known and still good; None if it must be read. Costs microseconds."""

    async def read(self) -> str:
        """The token afresh, whatever is known."""


class CommandSource:
    """A shell command's output, kept for a while; a failure is kept for :data:`FAILURE_CACHE_S`."""

    notices = False

    def __init__(self, command: str, limits: Limits, clock: Clock, environ: Mapping[str, str]) -> None:
        self.what = "auth command"
        self._command, self._limits, self._clock, self._environ = command, limits, clock, environ
        self._token = ""
        self._failure = ""
        self._good_until = float("-inf")

    def peek(self) -> str | None:
        if self._clock() >= self._good_until:
            return None
        if self._failure:
            raise SourceFailure(self._failure)
        return self._token

    async def read(self) -> str:
        limits = self._limits
        try:
            written = await run_command(
                self._command, environ=self._environ, timeout_s=limits.timeout_s, output_limit=limits.output_limit
            )
            self._token, self._failure = _printed(written), ""
        except SourceFailure as failure:
            self._token, self._failure = "", str(failure)
            self._good_until = self._clock() + FAILURE_CACHE_S
            raise
        self._good_until = self._clock() + limits.cache_s
        return self._token


def _printed(written: bytes) -> str:
    if not written.strip():
        raise SourceFailure("printed nothing")
    try:
        return clean_token(written)
    except SourceFailure as failure:
        raise SourceFailure(f"printed something that {failure}") from None


class FileSource:
    """A file that holds the token."""

    notices = True

    def __init__(self, path: Path, limits: Limits) -> None:
        self._file = TokenFile(path, limits.output_limit)
        self.what = f"auth file {self._file.path}"

    def peek(self) -> str | None:
        return self._file.cached()

    async def read(self) -> str:
        return await self._file.read()


class EnvSource:
    """A variable of the daemon's own environment."""

    notices = True

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.what = f"environment variable {name}"
        self._name, self._environ = name, environ

    def peek(self) -> str:
        value = self._environ.get(self._name)
        if value is None:
            raise SourceFailure("is not set where the daemon was started")
        return clean_token(value.encode("utf-8", "surrogateescape"))

    async def read(self) -> str:
        return self.peek()


class UnbuiltSource:
    """A source that the configuration knows and this version cannot use."""

    notices = False

    def __init__(self, kind: str) -> None:
        self.what = f"auth source of type {kind!r}"

    def peek(self) -> str | None:
        raise SourceFailure("is not built yet; use type command, file or env")

    async def read(self) -> str:
        raise SourceFailure("is not built yet; use type command, file or env")


def open_source(source: AuthSource, limits: Limits, *, clock: Clock, environ: Mapping[str, str]) -> TokenReader:
    """The source that the configuration describes. Reads and runs nothing yet."""
    match source:
        case CommandAuth():
            return CommandSource(source.command, limits, clock, environ)
        case FileAuth():
            return FileSource(Path(source.file), limits)
        case EnvAuth():
            return EnvSource(source.env, environ)
        case _:
            return UnbuiltSource(source.type)


async def read_secret(key: str, source: str | AuthSource, config: Config, *, environ: Mapping[str, str]) -> str:
    """One secret that is not a provider's: the ``listener_token``, a web password, an MCP token.

    ``key`` is the configuration key that it stands under; CredentialError names it. Text is the secret itself.
    """
    if isinstance(source, str):
        return source
    opened = open_source(source, Limits.of(config), clock=lambda: 0.0, environ=environ)
    try:
        return await opened.read()
    except SourceFailure as failure:
        raise CredentialError(f"{key}: its {opened.what} {failure}") from None
