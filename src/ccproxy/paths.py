"""Which path of a provider answers to the path that a client asked for.

A provider's path is a template for its *main operation*, ``{model}`` and ``{action}`` filled in; what the client asked
for beneath that operation, and its query, come along::

    template                          asked                                 gives
    /v1/messages                      /messages/count_tokens?beta=true      /v1/messages/count_tokens?beta=true
    /v1beta/models/{model}:{action}   /v1/models/m%3AcountTokens            /v1beta/models/m:countTokens
    /anthropic/v1/messages            /v1/models                            /anthropic/v1/models
    /                                 /v1/anything?x                        /v1/anything?x
    / under base_url …/api/v4         /v1/chat/completions                  /api/v4/chat/completions

>>> redirected("/v1/messages", "", "/v1/messages?beta=true", Endpoint(Dialect.ANTHROPIC, "generate"), None)
'/v1/messages?beta=true'
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from ccproxy.errors import BadRequest, NotBuilt
from ccproxy.lightllm.dialect import Dialect, Endpoint

OWN: Final = "/"
"""The template that leaves the client's own path as it is."""

_MAIN: Final = {
    Dialect.ANTHROPIC: "/v1/messages",
    Dialect.OPENAI: "/v1/chat/completions",
    Dialect.OPENAI_RESPONSES: "/v1/responses",
    Dialect.GOOGLE: "/v1beta/models/{model}:{action}",
}
_COUNT: Final = {Dialect.ANTHROPIC: "/count_tokens", Dialect.OPENAI_RESPONSES: "/input_tokens"}
_TAILS: Final = ("/messages", "/chat/completions", "/responses", "/models/{model}:{action}")
_VERSION: Final = {dialect: path.split("/")[1] for dialect, path in _MAIN.items()}

_UNVERSIONED: Final = re.compile(r"/(?:messages|responses|chat/completions|models|tunedModels)(?![^/])")
_LEADING_VERSION: Final = re.compile(r"/v\d+\w*(?=/)")
_FINAL_VERSION: Final = re.compile(r"/v\d+\w*((?:/openai)?)\Z")  # Google's OpenAI endpoint is at /v1beta/openai
_NAMED_MODEL: Final = re.compile(r"(/(?:models|tunedModels)/)(.+)((?::|%3[Aa])[A-Za-z]+/?)\Z")
_VERTEX_MODELS: Final = "/publishers/google/models/{model}:{action}"
_PCHAR: Final = "/:@-._~!$&'()*+,;="


def redirected(template: str, prefix: str, asked: str, endpoint: Endpoint, model: str | None) -> str:
    """The path and query toward a provider of the same wire format.

    ``prefix`` is the path in its ``base_url``, ``asked`` the client's path and query, ``model`` the one to ask for.
    Raises NotBuilt where the provider has no such path, BadRequest for a model that cannot stand in a path.
    """
    bare, _, query = asked.partition("?")
    if template == OWN:
        if endpoint.model is not None and model is not None and model != endpoint.model:
            bare = with_model(bare, model)
        if endpoint.dialect is not None and _UNVERSIONED.match(bare):
            bare = f"/{_VERSION[endpoint.dialect]}{bare}"
        return _with_query(_join(prefix, bare), "", query)
    template, _, own_query = template.partition("?")
    if endpoint.dialect is None or endpoint.operation == "models":
        if endpoint.operation == "models":
            bare = f"/v1/models{endpoint.suffix}"
        return _with_query(_join(prefix, _beside(template, bare)), "", query)
    path = _fill(template, model, endpoint.action).rstrip("/") + endpoint.suffix
    return _with_query(_join(prefix, path), own_query, query)


def translated(
    template: str, prefix: str, endpoint: Endpoint, dialect: Dialect, model: str | None, *, streams: bool
) -> str:
    """The path and query toward a provider of another wire format, ``dialect``. The client's query is its own format's.

    Chat Completions cannot count tokens: where that is asked for, the path is that of the request which is counted.
    Raises NotBuilt for an operation that has no counterpart.
    """
    counts = endpoint.operation == "count_tokens"
    if not counts and endpoint.operation != "generate":
        raise NotBuilt(f"this operation cannot be translated from {endpoint.dialect} to {dialect}")
    template, _, query = (_MAIN[dialect] if template == OWN else template).partition("?")
    action = "countTokens" if counts else "streamGenerateContent" if streams else "generateContent"
    path = _fill(template, model, action) + (_COUNT.get(dialect, "") if counts else "")
    wants_events = dialect is Dialect.GOOGLE and streams and "alt=" not in query
    return _with_query(_join(prefix, path), query, "alt=sse" if wants_events else "")


def vertex_template(version: str, project: str, location: str) -> str:
    """The path of Google's models on Vertex AI ("REST resource: projects.locations.publishers.models")."""
    return f"/{version}/projects/{quote(project, safe='')}/locations/{quote(location, safe='')}{_VERTEX_MODELS}"


def with_model(asked: str, model: str) -> str:
    """A Google path that names another model. Raises BadRequest for a model that cannot stand in a path."""
    bare, mark, query = asked.partition("?")
    return _NAMED_MODEL.sub(lambda found: found[1] + _segment(model) + found[3], bare) + mark + query


def _join(prefix: str, path: str) -> str:
    """One version is enough: a base URL that ends in one speaks for the path too."""
    if _FINAL_VERSION.search(prefix) and (version := _LEADING_VERSION.match(path)):
        path = path[version.end() :]
    return prefix + path


def _beside(template: str, bare: str) -> str:
    """A path of the same API that is not its main operation."""
    tail = next((tail for tail in _TAILS if template.endswith(tail)), None)
    if tail is None:
        raise NotBuilt(f"the provider serves {template} only, and this request asks for {bare}")
    root = template.removesuffix(tail)
    if version := _LEADING_VERSION.match(bare):
        return root + bare[version.end() :]
    return _FINAL_VERSION.sub("", root) + bare


def _fill(template: str, model: str | None, action: str | None) -> str:
    if "{model}" in template:
        if not model:
            raise BadRequest(f"the provider's path {template} needs a model, and the request names none")
        template = template.replace("{model}", _segment(model))
    if "{action}" in template:
        if not action:
            raise NotBuilt(f"the provider's path {template} needs an action such as :generateContent")
        template = template.replace("{action}", action)
    return template


def _segment(model: str) -> str:
    model = model.removeprefix("models/")
    if any(part in ("", ".", "..") for part in model.split("/")):
        raise BadRequest(f"the model {model[:80]!r} cannot be written in a path")
    return quote(model, safe=_PCHAR)


def _with_query(path: str, own: str, query: str) -> str:
    both = "&".join(part for part in (own, query) if part)
    return f"{path}?{both}" if both else path
