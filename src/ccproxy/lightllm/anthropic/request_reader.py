"""Requests to the Messages API, read (Anthropic API reference, "Create a Message"; betas as seen 2026-11).

``system`` may also be said by messages with ``role: system`` between the others, which may change the tools on offer
and the effort (Claude Code 2.1 does). Settings that have no place in a ``Prompt`` become knobs under their own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ccproxy.errors import BadRequest
from ccproxy.lightllm.anthropic.content import Notes, cache_mark, read_content, read_texts
from ccproxy.lightllm.anthropic.fields import Object, array, flag, mapping, number, string, string_or_none, whole, wrong
from ccproxy.lightllm.anthropic.thinking import read_reasoning
from ccproxy.lightllm.anthropic.tools import change_tools, read_choice, read_tools
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import Knob, OutputFormat, Part, Prompt, Role, Sampling, Turn

_READ: Final = frozenset(
    {
        "cache_control",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
_KNOBS: Final = {
    "service_tier": "service_tier",
    "context_management": "context_management",
    "mcp_servers": "mcp",
    "thread": "state",
    "compaction": "state",
}
"""Rows of ``loss.LOSS``. A container is none of ``state``: clients send its id along wherever they had one."""
_UNSAID: Final = frozenset({"anthropic_version", "anthropic_beta", "betas"})
"""Headers that stand in the body on Vertex AI and Bedrock."""
_TIERS: Final = {"standard_only": "default"}
"""To OpenAI's words, who alone have something like it."""
_CHANGES: Final = frozenset({"tool_addition", "tool_removal"})

# The first system block of Claude Code (seen 2026-11): an account's business, and another one in each request, so that
# it would keep every provider from caching what follows.
_BILLING: Final = "x-anthropic-billing-header:"


def read(body: Object, asked: Asked) -> Prompt:
    """Read a body. Raises BadRequest, naming the field."""
    model = asked.model or string(body, "model", "")
    max_tokens = whole(body, "max_tokens", "")
    if max_tokens is None:
        raise wrong("max_tokens", "a whole number", None)
    notes = Notes()
    system = _System(notes)
    turns = (*system.leading(body.get("system")), *_turns(body.get("messages"), system, notes))
    choice, parallel = read_choice(body.get("tool_choice"))
    sampling = Sampling(
        number(body, "temperature", ""), number(body, "top_p", ""), whole(body, "top_k", ""), None, None, None
    )
    tools = change_tools(read_tools(body.get("tools"), notes), system.changes, notes)
    metadata = mapping(body.get("metadata") or {}, "metadata")
    return Prompt(
        model=model,
        turns=turns,
        tools=tools,
        tool_choice=choice,
        parallel_calls=parallel,
        output=_output(body),
        reasoning=read_reasoning(body, system.effort),
        sampling=sampling,
        max_tokens=max_tokens,
        stop=_stop(body.get("stop_sequences")),
        stream=asked.stream if asked.stream is not None else flag(body, "stream", "") or False,
        user=string_or_none(metadata, "user_id", "metadata") or None,
        cache=cache_mark(body, ""),
        knobs=(*notes.knobs, *_knobs(body)),
    )


class _System:
    """System turns, and what they change beside."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.changes: list[tuple[Object, str]] = []
        self.effort: tuple[str, str] | None = None

    def leading(self, value: object) -> tuple[Turn, ...]:
        if value is None:
            return ()
        texts = read_texts(value, "system")
        for text in texts:
            if text.text.startswith(_BILLING):
                self.notes.knobs.append(Knob("beta", text.text, text.at))
        kept = tuple(text for text in texts if not text.text.startswith(_BILLING))
        return (Turn("system", kept, "system"),) if kept else ()

    def later(self, message: Object, at: str, *, last_user: bool) -> tuple[Part, ...]:
        """A message's own texts. ``last_user``: no user's message follows."""
        config = mapping(message.get("output_config") or {}, f"{at}.output_config")
        if (effort := string_or_none(config, "effort", f"{at}.output_config")) is not None:
            self.effort = effort, f"{at}.output_config.effort"
        content = message.get("content")
        if isinstance(content, list):
            self.changes += [
                (block, f"{at}.content.{place}")
                for place, block in enumerate(content)
                if isinstance(block, dict) and str(block.get("type")) in _CHANGES
            ]
        if content is None or (message.get("clear_at") == "next_user_message" and not last_user):
            return ()
        return read_texts(content, f"{at}.content", _CHANGES)


def _turns(value: object, system: _System, notes: Notes) -> Iterator[Turn]:
    messages = [mapping(message, f"messages.{place}") for place, message in enumerate(array(value, "messages"))]
    if not messages:
        raise BadRequest("messages: at least one message is required")
    last_user = max((place for place, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    for place, message in enumerate(messages):
        at = f"messages.{place}"
        role = _role(message, at)
        parts: tuple[Part, ...]
        if role == "system":
            parts = system.later(message, at, last_user=place > last_user)
        else:
            parts = read_content(message.get("content"), f"{at}.content", notes)
        if parts:
            yield Turn(role, parts, at)


def _role(message: Object, at: str) -> Role:
    match role := string(message, "role", at):
        case "user" | "assistant" | "system":
            return role
    raise BadRequest(f"{at}.role: this must be 'user', 'assistant' or 'system', not {role!r}")


def _output(body: Object) -> OutputFormat | None:
    config = mapping(body.get("output_config") or {}, "output_config")
    for value, at in ((config.get("format"), "output_config.format"), (body.get("output_format"), "output_format")):
        if value is not None:
            found = mapping(value, at)
            if found.get("type") != "json_schema":
                raise BadRequest(f"{at}.type: this must be 'json_schema', not {found.get('type')!r}")
            return OutputFormat(mapping(found.get("schema"), f"{at}.schema"), at=at)
    return None


def _stop(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    found = array(value, "stop_sequences")
    for place, sequence in enumerate(found):
        if not isinstance(sequence, str):
            raise wrong(f"stop_sequences.{place}", "a string", sequence)
    return tuple(str(sequence) for sequence in found)


def _knobs(body: Object) -> Iterator[Knob]:
    for key, value in body.items():
        if key in _READ or key in _UNSAID or value is None or value == []:
            continue
        known = _TIERS.get(value, value) if key == "service_tier" and isinstance(value, str) else value
        yield Knob(_KNOBS.get(key, "unknown"), known, key)
    config = mapping(body.get("output_config") or {}, "output_config")
    for key, value in config.items():
        if key not in ("effort", "format") and value is not None:
            yield Knob("unknown", value, f"output_config.{key}")
