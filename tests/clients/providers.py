"""The providers of the daemon's configuration: one for each client, so that no key can stand in for another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

SENTINEL: Final = "sk-ant-oat-ccproxy-"

type Source = Literal["command", "file", "env"]


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider in the daemon's configuration. Every client has its own, with its own key."""

    name: str
    type: str
    header: str
    """Where its key belongs."""
    source: Source = "env"
    """Where the daemon gets the key from."""
    path: str = "/"

    @property
    def sentinel(self) -> str:
        """What the client has for a key."""
        return SENTINEL + self.name

    @property
    def key(self) -> str:
        """What the provider has to see."""
        return f"real-key-of-{self.name}-4f9c2b7d81"

    @property
    def credential(self) -> tuple[str, str]:
        """The one header field that may hold it."""
        return self.header, f"Bearer {self.key}" if self.header == "authorization" else self.key

    def configuration(self, port: int, folder: Path) -> dict[str, object]:
        """Its entry under ``providers``; key files go into ``folder``."""
        file = folder / f"{self.name}.key"
        file.write_text(f"{self.key}\n")
        file.chmod(0o600)
        source = {"command": f"cat {file}", "file": str(file), "env": self.variable}[self.source]
        header = {} if self.header == "authorization" else {"header": self.header}
        auth = {"type": self.source, self.source: source, **header}
        return {"type": self.type, "base_url": f"http://127.0.0.1:{port}", "path": self.path, "auth": auth}

    @property
    def variable(self) -> str:
        """The environment variable that holds the key."""
        return f"KEY_{self.name.upper().replace('-', '_')}"


def anthropic(name: str, source: Source = "env") -> Provider:
    return Provider(name, "anthropic", "x-api-key", source)


def chat(name: str, source: Source = "env") -> Provider:
    return Provider(name, "openai", "authorization", source)


def responses(name: str, source: Source = "env") -> Provider:
    return Provider(name, "openai_responses", "authorization", source)


def google(name: str, source: Source = "env", path: str = "/") -> Provider:
    return Provider(name, "google", "x-goog-api-key", source, path)


GEMINI_BETA: Final = "/v1beta/models/{model}:{action}"
"""The mock knows only v1beta; the newer Google SDKs ask for v1."""

CLAUDE_CODE = anthropic("claude-code", "command")
CODEX = responses("codex", "file")
GEMINI_CLI = google("gemini-cli", "command")
OPENCODE = {
    "anthropic": anthropic("opencode-anthropic"),
    "openai": responses("opencode-responses"),
    "chat": chat("opencode-chat", "file"),
    "google": google("opencode-google"),
}
LANGUAGES: Final = ("python-current", "python-older", "javascript")
SDK_ANTHROPIC = {language: anthropic(f"sdk-anthropic-{language}") for language in LANGUAGES}
SDK_CHAT = {language: chat(f"sdk-chat-{language}", "file") for language in LANGUAGES}
SDK_RESPONSES = {language: responses(f"sdk-responses-{language}") for language in LANGUAGES}
SDK_GOOGLE = {
    language: google(f"sdk-google-{language}", "command", "/" if language == "python-older" else GEMINI_BETA)
    for language in LANGUAGES
}
TRANSLATED = {
    "anthropic": anthropic("to-anthropic"),
    "chat": chat("to-chat"),
    "responses": responses("to-responses"),
    "google": google("to-google", path=GEMINI_BETA),
}
"""Asked by clients of other formats."""

PROVIDERS: Final[tuple[Provider, ...]] = (
    CLAUDE_CODE,
    CODEX,
    GEMINI_CLI,
    *OPENCODE.values(),
    *SDK_ANTHROPIC.values(),
    *SDK_CHAT.values(),
    *SDK_RESPONSES.values(),
    *SDK_GOOGLE.values(),
    *TRANSLATED.values(),
)
