"""A request in one dialect made one in another, between the inbound and the outbound hooks; and what its answer takes.

The translation itself is pure (``lightllm.translate``); here it meets a request's headers, path and clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from ccproxy.config.providers import VERTEX_TYPES
from ccproxy.headers import Headers
from ccproxy.lightllm.codecs import REQUEST_READERS
from ccproxy.lightllm.count import COUNTING, count_body, estimate, generate_body
from ccproxy.lightllm.dialect import Dialect, Endpoint, classify, wants_json_array, wants_stream
from ccproxy.lightllm.flavour import flavour_of
from ccproxy.lightllm.memory import Memory
from ccproxy.lightllm.plan import Asked, Plan
from ccproxy.lightllm.translate import AnswerTranslator, Leg, translate_request
from ccproxy.listener.answer import Capture
from ccproxy.listener.api_headers import request_id, toward_provider
from ccproxy.listener.relay import Collected, Generated, Held, Relay, Streamed, Whole, counting, estimated, refusal
from ccproxy.pipeline.context import Context
from ccproxy.routing import Transform


@dataclass(frozen=True, slots=True)
class Translation:
    """What has to be known of a request to give its client the answer."""

    operation: Literal["generate", "count_tokens"]
    client: Dialect
    provider: Dialect
    plan: Plan | None
    """None: the wire format is the same, and only a count may have to be made here."""
    memory: Memory
    estimate: Callable[[], int]

    @property
    def array(self) -> bool:
        """A Google client that reads a JSON array in place of events."""
        return self.plan is not None and self.plan.array

    def relay(self, status: int, headers: Headers, capture: Capture, settle: Callable[[Whole], None]) -> Relay:
        """Takes the provider's answer with this status and these headers; ``capture`` is of what the client gets."""
        refused = refusal(self.provider, self.client, status, request_id(headers))
        if self.operation == "count_tokens":
            read = counting(self.provider, self.client, status, self.estimate, refused)
            return Held(Collected(read), capture, settle)
        if not 200 <= status < 300:
            return Held(Collected(refused), capture, settle)
        assert self.plan is not None
        translator = AnswerTranslator(self.plan, self.memory)
        if self.plan.stream:
            return Streamed(translator, self.client, capture)
        return Held(Generated(translator, self.client), capture, settle)


def translate(ctx: Context, decision: Transform, kind: str, asked_path: str, memory: Memory) -> Translation | Whole:
    """Make the context's request one of the provider's dialect; Whole where the answer is made here.

    ``kind`` is the provider's type, ``asked_path`` the path that the client asked for. Raises RequestError.
    """
    client, counts = decision.source, ctx.endpoint.operation == "count_tokens"
    body: Mapping[str, object] = ctx.document()
    if counts:
        body = generate_body(client, body)
    asked = asked_of(ctx.endpoint, asked_path)

    def count() -> int:
        return estimate(REQUEST_READERS[client].read(body, asked), decision.dialect)

    if counts and decision.dialect not in COUNTING:
        return estimated(client, count)
    seed = ctx.flow_id.replace("-", "")
    flavour = flavour_of(kind, decision.target.host)
    leg = Leg(flavour, keeper(decision), decision.model or "", seed, int(time.time()))
    sent = translate_request(body, client, asked, leg, memory)
    ctx.warnings.extend(sent.warnings)
    document = sent.body
    if counts:
        vertex = kind in VERTEX_TYPES
        document = count_body(decision.dialect, document, model=decision.model or "", vertex=vertex)
    streams = sent.plan.stream and not counts
    toward_provider(ctx.headers, decision.dialect, streams=streams)
    ctx.retarget(endpoint_of(decision, counts=counts), decision.target.path, document)
    return Translation("count_tokens" if counts else "generate", client, decision.dialect, sent.plan, memory, count)


def keeper(decision: Transform) -> str:
    """Whose the signatures in the memory are: a configuration may give a provider's name to another vendor."""
    return f"{decision.provider} {decision.dialect} {decision.target.host}"


def same_format_count(ctx: Context, asked_path: str, memory: Memory) -> Translation:
    """For a provider of the client's own dialect that turns out not to count."""
    client = ctx.endpoint.dialect
    assert client is not None
    asked = asked_of(ctx.endpoint, asked_path)

    def count() -> int:
        return estimate(REQUEST_READERS[client].read(generate_body(client, ctx.document()), asked), client)

    return Translation("count_tokens", client, client, None, memory, count)


def asked_of(endpoint: Endpoint, path: str) -> Asked:
    """What of the client's request stands in its path."""
    if endpoint.dialect is not Dialect.GOOGLE:
        return Asked()
    return Asked(endpoint.model, wants_stream(endpoint, None, path), wants_json_array(endpoint, path))


def endpoint_of(decision: Transform, *, counts: bool) -> Endpoint:
    """What the translated request asks for: a provider's path may be one that nobody knows."""
    found = classify("POST", decision.target.path, Headers())
    if found.dialect is decision.dialect:
        return found
    return Endpoint(decision.dialect, "count_tokens" if counts else "generate")
