"""The response object: who answered, what with, and the settings of the request repeated (API reference, "The
response object").

>>> response = ResponseObject("resp_1", 0, "gpt-5.4", settings_of({"temperature": 0.5}))
>>> whole = response.written("completed", [])
>>> whole["temperature"], whole["tool_choice"]
(0.5, 'auto')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ccproxy.lightllm.ending import Usage, mapping
from ccproxy.lightllm.openai_responses.errors import response_error
from ccproxy.lightllm.openai_responses.outcome import Status
from ccproxy.lightllm.openai_responses.usage import counts
from ccproxy.lightllm.plan import Plan
from ccproxy.lightllm.status import Failure

type Fields = dict[str, object]

_DEFAULTS: Final[Mapping[str, tuple[type | tuple[type, ...], object]]] = {
    "instructions": ((str, list), None),
    "max_output_tokens": (int, None),
    "max_tool_calls": (int, None),
    "parallel_tool_calls": (bool, True),
    "prompt_cache_key": (str, None),
    "safety_identifier": (str, None),
    "service_tier": (str, "default"),
    "store": (bool, False),
    "temperature": ((int, float), 1.0),
    "tool_choice": ((str, dict), "auto"),
    "tools": (list, []),
    "top_logprobs": (int, 0),
    "top_p": ((int, float), 1.0),
    "truncation": (str, "disabled"),
    "user": (str, None),
    "metadata": (dict, {}),
}
"""Setting → its types and what the API says where the request says nothing. (``store``: nothing is stored here.)"""


def settings_of(asked: Mapping[str, object]) -> Fields:
    """What a response repeats of its request. ``asked`` is a body that was read before."""
    settings: Fields = {"background": False, "previous_response_id": None}
    for name, (kind, default) in _DEFAULTS.items():
        value = asked.get(name)
        settings[name] = value if isinstance(value, kind) else default
    if settings["service_tier"] == "auto":
        settings["service_tier"] = "default"
    reasoning, text = mapping(asked.get("reasoning")), mapping(asked.get("text"))
    settings["reasoning"] = {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")}
    settings["text"] = {
        "format": text.get("format") or {"type": "text"},
        "verbosity": text.get("verbosity") or "medium",
    }
    return settings


@dataclass(frozen=True, slots=True)
class ResponseObject:
    """One response, whose state changes while the rest of it stays."""

    id: str
    created_at: int
    model: str
    settings: Mapping[str, object]

    def state(self, status: Status, *, incomplete: str | None = None, failure: Failure | None = None) -> Fields:
        """The fields that stand before ``output``."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "error": response_error(failure) if failure is not None else None,
            "incomplete_details": {"reason": incomplete} if incomplete is not None else None,
            "model": self.model,
        }

    def written(
        self,
        status: Status,
        output: Sequence[Mapping[str, object]],
        *,
        incomplete: str | None = None,
        usage: Usage | None = None,
    ) -> Fields:
        """The whole object."""
        head = self.state(status, incomplete=incomplete)
        return {**head, "output": list(output), **self.settings, "usage": usage_of(usage)}


def usage_of(usage: Usage | None) -> Fields:
    """The counts of an answer that is over: clients want numbers there, also where the provider gave none."""
    return counts(usage or Usage())


def begun(plan: Plan, id: str | None, model: str | None, created_at: int | None) -> ResponseObject:
    """The response of an answer that has begun. The provider's own id stays in its id."""
    own = id or plan.seed
    return ResponseObject(
        own if own.startswith("resp_") else f"resp_{own}",
        created_at if created_at is not None else plan.now,
        model or plan.model,
        settings_of(plan.asked),
    )
