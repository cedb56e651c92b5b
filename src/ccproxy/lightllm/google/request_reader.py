"""A request to the Gemini API, or to Vertex AI, or to Code Assist, to a ``Prompt``.

``{"contents": […], "systemInstruction": {…}, "tools": […], "toolConfig": {…}, "generationConfig": {…}}``, every name
also in snake_case; the model and whether to stream stand in the path. Reference: Gemini API, "models.generateContent".

>>> prompt = read({"contents": {"parts": {"text": "hi"}}, "generation_config": {"top_k": 3}}, Asked("gemini-2.5-pro"))
>>> prompt.model, prompt.turns[0].role, prompt.sampling.top_k
('gemini-2.5-pro', 'user', 3)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ccproxy.errors import BadRequest
from ccproxy.lightllm.google.content_reader import read_contents, read_system
from ccproxy.lightllm.google.envelope import is_wrapped
from ccproxy.lightllm.google.fields import (
    Json,
    both,
    integer,
    number,
    pick,
    place,
    record,
    string,
    strings,
)
from ccproxy.lightllm.google.schema import json_schema
from ccproxy.lightllm.google.thinking import read_thinking
from ccproxy.lightllm.google.tools import read_choice, read_tools
from ccproxy.lightllm.plan import Asked
from ccproxy.lightllm.prompt import Knob, OutputFormat, Prompt, Sampling

_KNOWN: Final = both("contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "model")
_KNOBS: Final = {"safetySettings": "safety", "cachedContent": "state"}
_KNOBS_BY_NAME: Final = {spelling: knob for name, knob in _KNOBS.items() for spelling in both(name)}
_KNOWN_SETTINGS: Final = both(
    *("temperature", "topP", "topK", "seed", "presencePenalty", "frequencyPenalty", "maxOutputTokens"),
    *("stopSequences", "candidateCount", "responseMimeType", "responseSchema", "responseJsonSchema"),
    *("thinkingConfig", "responseModalities"),
) | {"_responseJsonSchema"}  # so spelt by google-genai's older releases
_UNSAID: Final[tuple[object, ...]] = (None, "", [], {}, False)
"""What ProtoJSON may write for a field that is not set."""
_LOGPROBS: Final = both("responseLogprobs", "logprobs")
_TIER: Final = both("serviceTier")
_TIERS: Final = {"SERVICE_TIER_STANDARD": "default", "STANDARD": "default", "FLEX": "flex", "PRIORITY": "priority"}
_MODEL_PREFIXES: Final = ("models/", "tunedModels/")


def read(body: Mapping[str, object], asked: Asked) -> Prompt:
    """The prompt. Raises BadRequest, naming the field, for what no server of the dialect would take."""
    try:
        if is_wrapped(body):
            beside = tuple(Knob("unknown", body[key], key) for key in body if key not in ("model", "request"))
            return _read(record(body, "request", "") or {}, asked.model or _model(body), asked, "request", beside)
        return _read(body, asked.model or _model(body), asked, "", ())
    except RecursionError as error:
        raise BadRequest("the request is nested too deeply") from error


def _model(body: Json) -> str:
    model = string(body, "model", "")
    if not model:
        raise BadRequest("model: is missing; it stands in the path, /v1beta/models/MODEL:generateContent")
    for prefix in _MODEL_PREFIXES:
        model = model.rpartition(prefix)[2]
    return model


def _read(body: Json, model: str, asked: Asked, at: str, beside: tuple[Knob, ...]) -> Prompt:
    system = read_system(pick(body, "systemInstruction"), place(at, "systemInstruction"))
    turns = read_contents(body, at)
    choice, knobs = read_choice(body, at)
    config = record(body, "generationConfig", at) or {}
    here = place(at, "generationConfig")
    thinking = record(config, "thinkingConfig", here)
    return Prompt(
        model=model,
        turns=turns if system is None else (system, *turns),
        tools=tuple(read_tools(body, at)),
        tool_choice=choice,
        output=_output(config, here),
        reasoning=None if thinking is None else read_thinking(thinking, place(here, "thinkingConfig")),
        sampling=Sampling(
            temperature=number(config, "temperature", here),
            top_p=number(config, "topP", here),
            top_k=integer(config, "topK", here),
            seed=integer(config, "seed", here),
            presence_penalty=number(config, "presencePenalty", here),
            frequency_penalty=number(config, "frequencyPenalty", here),
        ),
        max_tokens=integer(config, "maxOutputTokens", here),
        stop=strings(config, "stopSequences", here),
        stream=bool(asked.stream),
        knobs=(*beside, *_settings(body, at), *knobs, *_generation(config, here)),
    )


def _settings(body: Json, at: str) -> Iterator[Knob]:
    for key, value in body.items():
        if key in _KNOWN or value in _UNSAID:
            continue
        tier = _TIERS.get(value.upper()) if key in _TIER and isinstance(value, str) else None
        if tier is not None:
            yield Knob("service_tier", tier, place(at, key))
        else:
            yield Knob(_KNOBS_BY_NAME.get(key, "unknown"), value, place(at, key))


def _generation(config: Json, at: str) -> Iterator[Knob]:
    if (count := integer(config, "candidateCount", at)) is not None and count > 1:
        yield Knob("several_answers", count, place(at, "candidateCount"))
    modalities = {modality.upper() for modality in strings(config, "responseModalities", at)}
    if modalities - {"TEXT", "MODALITY_UNSPECIFIED"}:
        alone = "TEXT" not in modalities or "AUDIO" in modalities
        yield Knob("modalities" if alone else "unknown", sorted(modalities), place(at, "responseModalities"))
    for key, value in config.items():
        if key not in _KNOWN_SETTINGS and value not in _UNSAID:
            yield Knob("logprobs" if key in _LOGPROBS else "unknown", value, place(at, key))
    mime = string(config, "responseMimeType", at)
    if mime not in (None, "", "text/plain", "application/json"):
        yield Knob("unknown", mime, place(at, "responseMimeType"))


def _output(config: Json, at: str) -> OutputFormat | None:
    """JSON of a schema, or of any shape. Google's other types, ``text/x.enum``, are not JSON."""
    mime = string(config, "responseMimeType", at)
    if mime not in (None, "", "application/json"):
        return None
    for name in ("responseJsonSchema", "_responseJsonSchema"):
        if (schema := record(config, name, at)) is not None:
            return OutputFormat(schema, at=place(at, name))
    if (own := record(config, "responseSchema", at)) is not None:
        return OutputFormat(json_schema(own), at=place(at, "responseSchema"))
    return OutputFormat(at=place(at, "responseMimeType")) if mime == "application/json" else None
