"""How a client is made: addresses, times, bounds, TLS, token and hooks."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from ._failures import failure
from .hooks import Hooks

DEFAULT_ADDRESS = "localhost:9000"

MAX_ADDRESSES = 64

MAX_TIMEOUT_SECONDS = (2**32 - 1) / 1000
"""What a frame can say: about 49 days."""

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A bearer token, or a function that gives one for each new connection and stream."""

_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%A-Za-z0-9]+\]):(\d{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Certificates of a connection, each as PEM text or bytes, or as the path of a file that holds it."""

    ca: str | bytes | Path | None = None
    """Authorities to trust instead of the system's."""
    cert: str | bytes | Path | None = None
    """Certificate chain of the client, where the server asks for one; needs `key`."""
    key: str | bytes | Path | None = None
    """Private key of `cert`."""
    server_name: str | None = None
    """The name that the server's certificate must be for, when it is not the host of the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds and times of a client, in seconds where they are times."""

    timeout: float = 30.0
    """How long a call waits for its answer, if it does not say otherwise."""
    unreachable_timeout: float = 10.0
    """Calls fail with UNREACHABLE once no node could be reached for this long."""
    max_in_flight_calls: int = 4_096
    """Calls that the servers may have at once; more wait."""
    max_in_flight_bytes: int = 32 * 1024 * 1024
    """Bytes of their requests, each with 256 bytes for its own sake."""
    max_waiting_calls: int = 65_536
    """Calls that may wait; the next fails with OVERLOADED."""
    max_waiting_bytes: int = 64 * 1024 * 1024
    """Bytes of their requests, counted like those in flight."""
    max_request_bytes: int = 16 * 1024 * 1024 - 1024
    """Largest encoded request. A server takes frames of `limits.max-frame-bytes`."""
    retry_delay: float = 0.025
    """First wait before a try to connect again or to repeat a refused call; each next one doubles."""
    max_retry_delay: float = 2.0
    """Longest such wait."""
    max_sends: int = 10
    """Times that one call is sent at most."""
    max_collected: int = 100_000
    """Most elements that a method such as `kv.keys` collects; beyond it fails with RESULT_TOO_LARGE."""
    keepalive_interval: float = 3.0
    """A connection with open calls or streams is pinged when nothing was heard on it for this long."""
    keepalive_timeout: float = 2.0
    """A connection that leaves a ping unanswered this long is given up."""
    connect_timeout: float = 5.0
    """A try to connect is given up after this long, also when what accepts it says nothing."""
    close_timeout: float = 5.0
    """How long `close` waits for calls in flight; those that are not answered by then fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """Everything that `connect` was given, checked."""

    addresses: tuple[str, ...] = (DEFAULT_ADDRESS,)
    limits: Limits = field(default_factory=Limits)
    tls: TlsOptions | bool = False
    token: Token | None = None
    hooks: Hooks = field(default_factory=Hooks)


def is_token(value: str) -> bool:
    """Whether it can be in a header."""
    return value.isascii() and value.isprintable()


def checked_addresses(address: str | Iterable[str]) -> tuple[str, ...]:
    """The addresses of `host:port`, several of them with commas or in a list. Fails with INVALID_REQUEST."""
    if isinstance(address, str):
        given: list[object] = list(address.split(","))
    elif isinstance(address, Iterable) and not isinstance(address, bytes | bytearray):
        given = list(address)
    else:
        raise failure("INVALID_REQUEST", f"connect: address: give host:port, not {address!r}", method="connect")
    addresses: list[str] = []
    for one in given:
        match = _ADDRESS.fullmatch(one.strip()) if isinstance(one, str) else None
        if match is None or not 1 <= int(match.group(1)) <= 65_535:
            raise failure(
                "INVALID_REQUEST",
                f"connect: {one!r} is not an address: give host:port",
                method="connect",
                subject="address",
            )
        addresses.append(match.group(0))
    if not 1 <= len(addresses) <= MAX_ADDRESSES:
        raise failure(
            "INVALID_REQUEST",
            f"connect: give 1 to {MAX_ADDRESSES} addresses, not {len(addresses)}",
            method="connect",
            subject="address",
        )
    return tuple(dict.fromkeys(addresses))


def checked_limits(given: dict[str, object]) -> Limits:
    """The defaults with what was given: numbers above 0, times also as timedelta. Fails with INVALID_REQUEST."""
    values: dict[str, float] = {}
    for name, value in given.items():
        if value is None:
            continue
        is_count = name.startswith("max_") and not name.endswith("_delay")
        if isinstance(value, timedelta) and not is_count:
            value = value.total_seconds()
        kinds = (int,) if is_count else (int, float)
        longest = math.inf if is_count else MAX_TIMEOUT_SECONDS
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value <= longest or value == math.inf:
            wanted = "a whole number above 0" if is_count else f"seconds above 0 and up to {MAX_TIMEOUT_SECONDS:g}"
            raise failure(
                "INVALID_REQUEST",
                f"connect: {name}: give {wanted}, not {value!r}",
                method="connect",
                subject=name,
            )
        values[name] = value
    return Limits(**values)  # type: ignore[arg-type]
