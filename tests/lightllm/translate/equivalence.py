"""When two folded answers, in two dialects, say the same.

======================  =============================================================================================
text                    equal, refusals included; of a Responses stream, its deltas' text will do
thinking                equal but for white space
calls                   equal: names and parsed arguments, in order; a limit may have cost the last one. What the
                        provider ran itself is no call of the client's. Items that only the Responses API has
                        (``folded.CLIENT_CALLS``) may be told as calls or left out
stop                    equal, or one of ``also``: not every dialect has every word
usage                   input, output and cache reads, where the source has them
an error                is an error; the text before it is there
======================  =============================================================================================
"""

from __future__ import annotations

from ccproxy.lightllm.dialect import Dialect
from tests.lightllm.translate.folded import Folded

type Differences = dict[str, tuple[object, object]]


def stops(want: Folded) -> set[str]:
    """The classes that the target may say."""
    also: set[str] = set()
    match want.stop:
        case "cut":
            return {"error"}
        case "paused":
            also = {"stop", "length"}
        case "other":
            also = {"stop", "filtered", "error"}
        case "stop" if want.refused:
            also = {"filtered"}
        case "filtered" if want.refused:
            also = {"stop"}
        case "tool" if not want.calls:
            also = {"stop"}
        case _:
            pass
    if want.stop == "stop" and (want.calls or want.foreign):
        also |= {"tool"}
    return {want.stop, *also}


def differences(want: Folded, got: Folded, target: Dialect) -> Differences:
    """Field → what the source says and what the target says; empty where they say the same."""
    found: Differences = {}

    def compare(name: str, wanted: object, gotten: object) -> None:
        if wanted != gotten:
            found[name] = (wanted, gotten)

    failed = want.stop in ("error", "cut")
    if got.stop not in stops(want) and not (got.refused and got.stop == "stop" and want.stop == "filtered"):
        found["stop"] = (f"{want.stop} {want.error}", f"{got.stop} {got.error}")
    if got.text != want.streamed:  # some services' last event differs from what their deltas told
        compare("text", want.text, got.text)
    if got.streamed is not None:
        compare("deltas", got.text, got.streamed)
    if failed:
        return found
    compare("thinking", "".join(want.thinking.split()), "".join(got.thinking.split()))
    calls = [call for call in got.calls if call in want.calls] if want.foreign else got.calls
    if not (want.stop == "length" and calls == want.calls[:-1]):
        compare("calls", want.calls, calls)
    for name in ("input", "output", "cache_read"):
        if (wanted := getattr(want, name)) is not None:
            compare(f"usage.{name}", wanted, getattr(got, name))
    if target is Dialect.GOOGLE:
        compare("signatures", [], got.signatures)
    return found
