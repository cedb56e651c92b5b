"""Where a credential comes from, as the configuration says it. ``ccproxy.auth`` acts on it.

A source is a mapping with a ``type``; ``type`` may be left out where ``command``, ``file`` or ``env`` tells it::

    auth: {type: env, env: ANTHROPIC_API_KEY, header: x-api-key}
    auth: {command: "op read op://dev/openai/key"}
    auth: printenv DEEPSEEK_API_KEY             # bare text is a command

Where a *token* is wanted (``listener_token``, ``web_password``, ``mcp.http.auth``) bare text is the token itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from ccproxy.config.quantities import Bytes, HttpUrl, PathBesideFile, Seconds, SecondsOrZero
from ccproxy.config.section import SECRET, CrossChecked, Finding, Section

_NOT_OURS_TO_SET = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value):
        raise ValueError("should be the name of a header, such as x-api-key")
    if value.lower() in _NOT_OURS_TO_SET or value.lower().startswith("x-ccproxy-"):
        raise ValueError("is a header that cannot carry a credential")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("should not be empty")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]


class Source(CrossChecked):
    """What every credential source says: where the token goes."""

    header: HeaderName | None = None
    """Header that carries the bare token, such as `x-api-key`; null: `Authorization: Bearer TOKEN`."""
    query_param: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~-]+$")] | None = None
    """Query parameter that carries the token instead of a header, such as `key`."""

    @classmethod
    def findings(cls, raw: Mapping[str, object]) -> Iterator[Finding]:
        if raw.get("header") is not None and raw.get("query_param") is not None:
            yield Finding(("query_param",), "cannot be set together with header: a token is sent once")


class CommandAuth(Source):
    """The token is what a shell command prints."""

    type: Literal["command"] = "command"
    """Kind of source."""
    command: Annotated[str, AfterValidator(_not_blank)]
    """Shell command whose standard output, stripped, is the token."""


class FileAuth(Source):
    """The token is the content of a file."""

    type: Literal["file"] = "file"
    """Kind of source."""
    file: PathBesideFile
    """File whose content, stripped, is the token; `~` is the home folder."""


class EnvAuth(Source):
    """The token is an environment variable of the daemon."""

    type: Literal["env"] = "env"
    """Kind of source."""
    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """Name of the environment variable, as the daemon sees it."""


class OAuthSource(Source):
    """A credential file that a vendor's own program maintains, refreshed before it expires."""

    file_path: PathBesideFile | None = None
    """JSON file with the tokens; without it, the vendor's usual place."""
    access_path: str | None = None
    """Path of the access token in the file, with dots between keys."""
    refresh_path: str | None = None
    """Path of the refresh token in the file."""
    expiry_path: str | None = None
    """Path of the expiry in the file, milliseconds since 1970."""
    endpoint: HttpUrl | None = None
    """URL of the token endpoint."""
    client_id: str | None = None
    """Client that the token was issued to."""
    client_secret: Annotated[str | None, SECRET] = None
    """Secret of that client, where the vendor wants one."""


class AnthropicOAuth(OAuthSource):
    """The subscription credential of Claude Code."""

    type: Literal["anthropic_oauth"]
    """Kind of source."""


class GoogleOAuth(OAuthSource):
    """The credential of Gemini CLI."""

    type: Literal["google_oauth"]
    """Kind of source."""


class CodexOAuth(OAuthSource):
    """The subscription credential of Codex."""

    type: Literal["codex_oauth"]
    """Kind of source."""


_KINDS = {"command", "file", "env", "anthropic_oauth", "google_oauth", "codex_oauth"}
_INFERRED = ("command", "file", "env")


def _kind(value: object) -> str | None:
    """The tag of a source. In angle brackets: it shows up in error places, where a key must not look like it."""
    if isinstance(value, str):
        return "<text>"
    kind: object = None
    if isinstance(value, Mapping):
        kind = value.get("type") or next((key for key in _INFERRED if key in value), None)
    else:
        kind = getattr(value, "type", None)
    return f"<{kind}>" if isinstance(kind, str) and kind in _KINDS else None


def _command_from_text(value: object) -> object:
    return {"type": "command", "command": value} if isinstance(value, str) else value


_UNKNOWN = (
    "should name its source: type is one of command, file, env, anthropic_oauth, google_oauth, codex_oauth "
    "(a token itself does not belong here; put it into a file or the environment)"
)

_Command = Annotated[CommandAuth, Tag("<command>")]
_File = Annotated[FileAuth, Tag("<file>")]
_Env = Annotated[EnvAuth, Tag("<env>")]
_Anthropic = Annotated[AnthropicOAuth, Tag("<anthropic_oauth>")]
_Google = Annotated[GoogleOAuth, Tag("<google_oauth>")]
_Codex = Annotated[CodexOAuth, Tag("<codex_oauth>")]

_Sources = Annotated[
    _Command | _File | _Env | _Anthropic | _Google | _Codex,
    Discriminator(_kind, custom_error_type="auth_source", custom_error_message=_UNKNOWN),
]
AuthSource = Annotated[_Sources, BeforeValidator(_command_from_text, json_schema_input_type=str | _Sources)]
"""A provider's credential; bare text is a command."""

TokenSource = Annotated[
    Annotated[str, Field(pattern=r"^[!-~]+$"), Tag("<text>")] | _Command | _File | _Env,
    Discriminator(
        _kind,
        custom_error_type="auth_source",
        custom_error_message="should be the token as text, or a source: type is one of command, file, env",
    ),
]
"""A token of ours; bare text is the token itself, printable ASCII without blanks."""


class AuthSettings(Section):
    """How credentials are fetched."""

    command_timeout_seconds: Seconds = 5.0
    """Time a credential command may take, seconds."""
    refresh_timeout_seconds: Seconds = 15.0
    """Time an OAuth refresh may take, seconds."""
    refresh_headroom_seconds: SecondsOrZero = 60.0
    """An OAuth token is refreshed this long before it expires, seconds."""
    command_cache_s: SecondsOrZero = 60.0
    """How long the token that a command printed is used again, seconds; 0 runs the command for every request."""
    output_limit_bytes: Bytes = 65536
    """A credential command or file that gives more than this fails, bytes."""
