"""Shapes of secrets that this process never resolved: a client's own key, a cookie, a token in a captured login.

Every pattern is written twice: once for :class:`~ccproxy.flows.scan.Scanner`, which only says that it is worth looking,
and once for ``re``, where group ``cut`` is what goes. A sentinel (``sk-ant-oat-ccproxy-NAME``) is no secret, only
the token after its dot is.

>>> [text[start:end] for text in [b"Authorization: Bearer abcdefgh12345"] for start, end, _ in find(text)]
[b'abcdefgh12345']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ccproxy.flows.scan import Scanner

SENTINEL = "sk-ant-oat-ccproxy-"
_T = "[A-Za-z0-9_-]"
_NOT_SENTINEL = f"(?!{SENTINEL})"
_VALUE = r"""[^\s"'`,;<>\\&*]"""


def _anything_but(word: str) -> str:
    """In Rust's syntax, which has no lookahead: characters of a token that do not begin with ``word``."""
    return "|".join(rf"{re.escape(word[:i])}[[A-Za-z0-9_\-]&&[^{re.escape(word[i])}]]" for i in range(len(word)))


@dataclass(frozen=True, slots=True)
class Pattern:
    """One shape."""

    label: str
    suspect: str
    """For the scanner: matches wherever ``exact`` does, and seldom elsewhere."""
    scanner: Scanner
    """Of ``suspect`` alone."""
    anchors: tuple[bytes, ...]
    """With one of these a match of ``exact`` begins. ``bytes.find`` is ten times as fast as a search with ``re``."""
    exact: re.Pattern[bytes]
    """Linear in what it matches, so that no text can make it slow."""

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where group ``cut`` is, for every match."""
        for anchor in self.anchors:
            at = data.find(anchor)
            while at >= 0:
                match = self.exact.match(data, at)
                if match is not None:
                    yield match.span("cut")
                at = data.find(anchor, match.end() if match is not None else at + 1)


def _pattern(label: str, suspect: str, anchors: str, exact: str) -> Pattern:
    return Pattern(
        label,
        suspect,
        Scanner([suspect]),
        tuple(anchor.encode("ascii") for anchor in anchors.split()),
        re.compile(exact.encode("ascii")),
    )


def _after(*words: str) -> str:
    """Only directly behind one of these, which may differ in length."""
    return "(?:" + "|".join(f"(?<={word})" for word in words) + ")"


_QUERY = "key|api_key|apikey|api-key|access_token|refresh_token|id_token|auth_token|client_secret|token"
QUERY_NAMES = frozenset(_QUERY.split("|"))
"""Query parameters whose values are secret."""
_PARAMETER_KEY = _after(*(f"[?&]{stem}" for stem in ("", "api_", "api", "api-"))) + "key="
_PARAMETER_TOKEN = _after(*(f"[?&]{stem}" for stem in ("", "access_", "refresh_", "id_", "auth_"))) + "token="
_PARAMETER_CLIENT = r"(?<=[?&]client_)secret="
_MEMBER = "access_token|refresh_token|id_token|client_secret|accessToken|refreshToken|idToken|clientSecret"
_MEMBER_END = _after("access", "refresh", "id") + "(?:_token|Token)|" + _after("client") + "(?:_secret|Secret)"
_SEPARATOR = r"""\\?["']?[ \t]*[:=][ \t]*\\?["']?"""
_SUSPECT_SEPARATOR = r"""\\?["']?[ \t]*[:=]"""

TOKENS = (
    _pattern(
        "api key",
        f"sk-(?:{_anything_but(SENTINEL.removeprefix('sk-'))}){_T}{{8,}}",
        "sk-",
        rf"(?<![A-Za-z0-9_-])(?P<cut>{_NOT_SENTINEL}sk-{_T}{{16,}})",
    ),
    _pattern(
        "listener token",
        rf"{SENTINEL}{_T}+\.[A-Za-z0-9]",
        SENTINEL,
        rf"{SENTINEL}{_T}{{1,128}}\.(?P<cut>[A-Za-z0-9][A-Za-z0-9_.~+/=-]*)",
    ),
    _pattern("google key", f"AIza{_T}{{20,}}", "AIza", f"(?P<cut>AIza{_T}{{20,}})"),
    _pattern("google token", r"ya29\.[A-Za-z0-9_.-]{16,}", "ya29.", r"(?P<cut>ya29\.[A-Za-z0-9_.-]{16,})"),
    _pattern("google token", f"1//0{_T}{{24,}}", "1//0", f"(?P<cut>1//0{_T}{{24,}})"),
    _pattern(
        "jwt",
        rf"eyJ{_T}{{8,}}\.{_T}{{8,}}",
        "eyJ",
        rf"(?<![A-Za-z0-9_-])(?P<cut>eyJ{_T}{{8,}}\.{_T}{{8,}}(?:\.{_T}*)*)",
    ),
    _pattern(
        "github token",
        "gh[pousr]_[A-Za-z0-9]{20,}",
        "ghp_ gho_ ghu_ ghs_ ghr_",
        "(?P<cut>gh[pousr]_[A-Za-z0-9]{20,})",
    ),
    _pattern("github token", "github_pat_[A-Za-z0-9_]{20,}", "github_pat_", "(?P<cut>github_pat_[A-Za-z0-9_]{20,})"),
    _pattern(
        "api key",
        f"(?:xai-|gsk_|hf_|nvapi-|pplx-){_T}{{20,}}",
        "xai- gsk_ hf_ nvapi- pplx-",
        f"(?<![A-Za-z0-9_-])(?P<cut>(?:xai-|gsk_|hf_|nvapi-|pplx-){_T}{{20,}})",
    ),
    _pattern(
        "query",
        rf"[?&](?:{_QUERY})=",
        "key= token= secret=",
        f"(?:{_PARAMETER_KEY}|{_PARAMETER_TOKEN}|{_PARAMETER_CLIENT})(?P<cut>{_NOT_SENTINEL}{_VALUE}{{6,}})",
    ),
    _pattern(
        "token",
        rf"(?:{_MEMBER})\\?\x22[ \t]*:[ \t]*\\?\x22",
        "_token Token _secret Secret",
        rf"(?:{_MEMBER_END})\\?\"[ \t]*:[ \t]*\\?\"(?P<cut>[^\"\\*]{{8,}})",
    ),
)
"""Found by their own shape or by the name just before them."""

LINES = (
    _pattern(
        "authorization",
        f"(?:uthorization|UTHORIZATION){_SUSPECT_SEPARATOR}",
        "uthorization UTHORIZATION",
        f"(?i:uthorization){_SEPARATOR}(?i:(?:bearer|basic|token)[ \t]+)?(?P<cut>{_NOT_SENTINEL}{_VALUE}{{8,}})",
    ),
    _pattern(
        "api key",
        f"(?:pi-key|pi-Key|PI-Key|PI-KEY){_SUSPECT_SEPARATOR}",
        "pi-key pi-Key PI-Key PI-KEY",
        f"(?i:pi-key){_SEPARATOR}(?P<cut>{_NOT_SENTINEL}{_VALUE}{{8,}})",
    ),
    _pattern(
        "cookie",
        f"(?:ookie|OOKIE){_SUSPECT_SEPARATOR}",
        "ookie OOKIE",
        rf"(?i:ookie){_SEPARATOR}(?P<cut>[A-Za-z0-9_.$!#%&'+^`|~-]+=[^\r\n\"'\\*]{{6,}})",
    ),
)
"""Header fields quoted in a text: a log line, a pasted curl command."""

_FORM = re.compile(f"(?:{_QUERY})=(?P<cut>{_NOT_SENTINEL}{_VALUE}{{6,}})".encode("ascii"))
"""The first field of an urlencoded form."""
_FORM_STARTS = tuple(f"{name}=" for name in _QUERY.split("|"))

_TOKEN_SCAN = Scanner([pattern.suspect for pattern in TOKENS])
_LINE_SCAN = Scanner([pattern.suspect for pattern in LINES])
_SECRET_HEADER = re.compile(r"(?:^|[-_])(?:authorization|api[-_]?key|token|secret|password|cookie)$", re.IGNORECASE)


@lru_cache(maxsize=1024)
def is_secret_header(name: bytes) -> bool:
    """Whether the value of a header with this name is a secret, whatever it looks like."""
    return _SECRET_HEADER.search(name.decode("latin-1")) is not None


def suspect(text: str) -> bool:
    """Whether :func:`find` could find anything in these bytes, given as latin-1 text."""
    return _TOKEN_SCAN.hits_text(text) or _LINE_SCAN.hits_text(text) or text.startswith(_FORM_STARTS)


def find(data: bytes) -> Iterator[tuple[int, int, str]]:
    """``(start, end, label)`` of every secret-shaped span, in no order; spans of two patterns may overlap."""
    form = _FORM.match(data)
    if form is not None:
        yield *form.span("cut"), "query"
    text = data.decode("latin-1")
    for pattern in (*TOKENS, *LINES):
        if pattern.scanner.hits_text(text):
            for start, end in pattern.spans(data):
                yield start, end, pattern.label
