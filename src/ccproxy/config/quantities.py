"""The kinds of value that the schema is made of: ports, seconds, bytes, regular expressions, paths.

YAML reads ``yes`` as a boolean and pydantic reads a boolean as the number 1, so every number refuses booleans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from ccproxy.config.origin import parse_host, parse_url


@dataclass(frozen=True, slots=True)
class Places:
    """Validation context: the folders that relative paths are relative to."""

    home: Path
    config_dir: Path
    state_dir: Path


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("should be a number, not true or false")
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return value


def _host(value: str) -> str:
    return parse_host(value)


def _http_url(value: str) -> str:
    parse_url(value)
    return value


def _size(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and not re.fullmatch(r"[0-9]+[bkmgt]?", text):
        raise ValueError("should be a size: a number of bytes, or a number with b, k, m, g or t behind it, as in 3m")
    return text


def _path_text(value: object) -> object:
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError("should be a path, not empty text")
    return value


def _path_beside_file(value: Path, info: ValidationInfo) -> Path:
    places = info.context
    return _absolute(value, places, places.config_dir) if isinstance(places, Places) else value


def _path_in_state(value: Path, info: ValidationInfo) -> Path:
    places = info.context
    return _absolute(value, places, places.state_dir) if isinstance(places, Places) else value


def _absolute(value: Path, places: Places, base: Path) -> Path:
    if value.parts[:1] == ("~",):
        return places.home.joinpath(*value.parts[1:])
    return base / value


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_number)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_number)]
Bytes = Annotated[int, Field(ge=1), BeforeValidator(_number)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_number)]
SecondsOrZero = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_number)]
Regex = Annotated[str, AfterValidator(_regex)]
BindHost = Annotated[str, AfterValidator(_host)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Size = Annotated[str, BeforeValidator(_size, json_schema_input_type=str | int)]
"""Bytes in mitmproxy's notation, ``3m``."""
PathBesideFile = Annotated[Path, BeforeValidator(_path_text), AfterValidator(_path_beside_file)]
"""Absolute after loading: ``~`` is the home folder, a relative path starts at the configuration folder."""
PathInState = Annotated[Path, BeforeValidator(_path_text), AfterValidator(_path_in_state)]
"""Absolute after loading: ``~`` is the home folder, a relative path starts at the state folder."""
