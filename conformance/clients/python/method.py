"""What the generated dispatch says of each method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the SDK."""

    service: str
    name: str
    """What it is called in Python."""
    kind: Literal["unary", "iter", "stream"]
    params: tuple[str | None, ...]
    """Of each parameter the type of the objects in it, if any."""
    options: Mapping[str, str]
    """The same of the options that have one."""
    timeout: str
    """The option that bounds the call."""
    returns_duration: bool
    """Numbers in its result are lengths of time."""
