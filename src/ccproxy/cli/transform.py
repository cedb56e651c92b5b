"""translate a request, or a recorded answer, from one wire format to another

Reads standard input, writes standard output, asks nobody: what a `transform` route would send, for people who debug.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from typing import TYPE_CHECKING, BinaryIO

from ccproxy.errors import BadRequest, CcproxyError
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.flavour import FLAVOURS, Flavour, flavour_of

if TYPE_CHECKING:
    from ccproxy.lightllm.plan import Plan

_CHUNK = 1 << 16
_EVENT = re.compile(rb"\s*(?:data|event|id|retry)?:")
"""How a stream of events begins."""
_OPENAI = "api.openai.com"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = [dialect.value for dialect in Dialect]
    parser.add_argument(
        "--from", dest="source", metavar="D", choices=names, help=f"its wire format: {', '.join(names)}"
    )
    parser.add_argument("--to", dest="target", metavar="D", choices=names, help="the wire format to write")
    parser.add_argument("--answer", action="store_true", help="it is an answer (a stream of events is seen to be one)")
    parser.add_argument("--model", default="", help="the model to ask for (Google's format has it in the path)")
    parser.add_argument("--no-stream", action="store_true", help="ask for, or write, a whole answer")
    parser.add_argument(
        "--provider-type", metavar="TYPE", choices=list(FLAVOURS), help=f"the provider's: {', '.join(FLAVOURS)}"
    )
    parser.add_argument("--host", default=_OPENAI, help=f"the provider's host; only {_OPENAI} takes all of its own API")
    parser.add_argument("--losses", action="store_true", help="print what cannot be translated, and nothing else")


def run(args: argparse.Namespace) -> int:
    if args.losses:
        from ccproxy.lightllm.loss_text import loss_text

        sys.stdout.write(loss_text())
        return 0
    if args.source is None or args.target is None:
        raise CcproxyError("name both wire formats: --from D --to D")
    given = sys.stdin.buffer
    start = _start(given)
    events = _EVENT.match(start) is not None
    if events or args.answer:
        return _answer(args, given, start, stream=events and not args.no_stream)
    return _request(args, start + given.read())


def _start(given: BinaryIO) -> bytes:
    """As much of the input as tells what it is."""
    start = b""
    while len(start.strip()) < len("retry:") and (chunk := _some(given)):
        start = (start + chunk).removeprefix(b"\xef\xbb\xbf")
    if not start.strip():
        raise CcproxyError("there is nothing on standard input: give it a request's body, or an answer")
    return start


def _some(given: BinaryIO) -> bytes:
    """What there is, without waiting for more."""
    read1 = getattr(given, "read1", given.read)
    chunk: bytes = read1(_CHUNK)
    return chunk


def _flavour(args: argparse.Namespace, provider: str) -> Flavour:
    flavour = flavour_of(args.provider_type or provider, args.host)
    if flavour.dialect != provider:
        raise CcproxyError(
            f"--provider-type {args.provider_type}: its wire format is {flavour.dialect}, not {provider}"
        )
    return flavour


def _request(args: argparse.Namespace, raw: bytes) -> int:
    from ccproxy.lightllm.memory import Memory
    from ccproxy.lightllm.plan import Asked
    from ccproxy.lightllm.translate import Leg, translate_request

    source = Dialect(args.source)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"standard input is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest("standard input is no JSON object; is it an answer? then say --answer")
    model = args.model or body.get("model")
    if not isinstance(model, str) or not model:
        raise CcproxyError("--model: the body does not name one")
    if args.no_stream and source is not Dialect.GOOGLE:
        body["stream"] = False
    leg = Leg(_flavour(args, args.target), "provider", model, "transform", int(time.time()))
    asked = Asked(model, not args.no_stream) if source is Dialect.GOOGLE else Asked()
    translated = translate_request(body, source, asked, leg, Memory())
    for warning in translated.warnings:
        print(f"ccproxy: {warning}", file=sys.stderr)
    _print(translated.body)
    return 0


def _answer(args: argparse.Namespace, given: BinaryIO, start: bytes, *, stream: bool) -> int:
    from ccproxy.lightllm.memory import Memory
    from ccproxy.lightllm.translate import AnswerTranslator

    plan = _plan(args, stream=stream)
    translator = AnswerTranslator(plan, Memory())
    chunk = start
    while chunk and not translator.finished:
        _send(translator.feed(chunk))
        chunk = _some(given)
    _send(translator.end())
    if translator.failure is not None:
        raise CcproxyError(translator.failure.message)
    if not plan.stream:
        _print(translator.document())
    return 0


def _plan(args: argparse.Namespace, *, stream: bool) -> Plan:
    from ccproxy.lightllm.plan import Plan

    return Plan(
        client=Dialect(args.target),
        flavour=_flavour(args, args.source),
        provider="provider",
        model=args.model,
        stream=stream,
        seed="transform",
        now=int(time.time()),
    )


def _send(chunks: list[bytes]) -> None:
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _print(document: dict[str, object]) -> None:
    """Indented for people; the very bytes that would be sent for programs."""
    from ccproxy.lightllm.json_edit import dumps

    if sys.stdout.isatty():
        print(json.dumps(document, indent=2, ensure_ascii=False).encode(errors="backslashreplace").decode())
    else:
        sys.stdout.buffer.write(dumps(document))
        sys.stdout.buffer.flush()
