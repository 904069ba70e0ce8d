"""Values of callers into requests, checked; and values of responses for callers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeGuard, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from ._error import GomsgError
from ._failures import failure, undecodable
from ._routing.slots import queue_of_delivery

__all__ = [
    "as_text",
    "at_most_one",
    "boolean",
    "decoded",
    "duration",
    "entries",
    "enum_number",
    "integer",
    "invalid",
    "items",
    "list_of",
    "moment_of",
    "number",
    "queue_of_delivery",
    "seconds",
    "seconds_of",
    "string",
    "text",
    "timestamp",
]

T = TypeVar("T")
M_co = TypeVar("M_co", covariant=True)

_NANOS = 1_000_000_000

_MAX_DURATION_SECONDS = 315_576_000_000
"""Of google.protobuf.Duration: about 10,000 years."""

_MAX_TIMESTAMP_SECONDS = 253_402_300_799
"""Of google.protobuf.Timestamp: the end of the year 9999."""

_SHOWN_CHARACTERS = 80


def invalid(method: str, param: str, wanted: str, value: object) -> GomsgError:
    """The error of an argument that is not what it has to be. Nothing was sent."""
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - such as of an int with more digits than Python writes
        shown = type(value).__name__
    if len(shown) > _SHOWN_CHARACTERS:
        shown = f"{shown[:_SHOWN_CHARACTERS]}…"
    return failure("INVALID_REQUEST", f"{method}: {param}: give {wanted}, not {shown}", method=method, subject=param)


# Into requests.


def string(method: str, param: str, value: object) -> str:
    """A name, key or pattern."""
    if not isinstance(value, str):
        raise invalid(method, param, "a str", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid(method, param, "a str without lone surrogates", value) from None
    return value


def text(method: str, param: str, value: object) -> bytes:
    """A value or payload: text, or any bytes."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise invalid(method, param, "a str without lone surrogates, or bytes", value) from None
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise invalid(method, param, "a str or bytes", value)


def boolean(method: str, param: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise invalid(method, param, "a bool", value)
    return value


def integer(method: str, param: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(method, param, "an int", value)
    if not low <= value <= high:
        raise invalid(method, param, f"an int from {low} to {high}", value)
    return int(value)


def number(method: str, param: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(method, param, "a number", value)
    try:
        converted = float(value)
    except OverflowError:
        converted = math.nan
    if math.isnan(converted):
        raise invalid(method, param, "a number", value)
    return converted


def _is_finite(value: object) -> TypeGuard[int | float]:
    # An int is never infinite, but too large for math.isfinite beyond 1e308.
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )


def enum_number(method: str, param: str, value: object, numbers: Mapping[str, T]) -> T:
    """The number of an enum's value, given as a member or as its lower-case name."""
    found = numbers.get(value) if isinstance(value, str) else None
    if found is None:
        raise invalid(method, param, f"one of {', '.join(repr(str(name)) for name in numbers)}", value)
    return found


def duration(method: str, param: str, value: object, target: Duration) -> None:
    """Seconds, or a timedelta, into a field."""
    if isinstance(value, timedelta):
        whole, nanos = value.days * 86_400 + value.seconds, value.microseconds * 1000
        if whole < 0 < nanos:
            whole, nanos = whole + 1, nanos - _NANOS
    elif _is_finite(value):
        whole = int(value)
        nanos = round((value - whole) * _NANOS)
        if abs(nanos) == _NANOS:
            whole, nanos = whole + (1 if nanos > 0 else -1), 0
    else:
        raise invalid(method, param, "seconds as a number, or a timedelta", value)
    if abs(whole) >= _MAX_DURATION_SECONDS:
        raise invalid(method, param, "less than 10,000 years", value)
    target.seconds, target.nanos = whole, nanos
    target.SetInParent()


def timestamp(method: str, param: str, value: object, target: Timestamp) -> None:
    """A datetime (a naive one is local time), or seconds since 1970, into a field."""
    if isinstance(value, datetime):
        try:
            since = value.astimezone(UTC) - datetime.fromtimestamp(0, UTC)
        except (OverflowError, OSError, ValueError):
            raise invalid(method, param, "a datetime from the year 1 to 9999", value) from None
        target.seconds = since.days * 86_400 + since.seconds
        target.nanos = since.microseconds * 1000
    elif _is_finite(value):
        whole = math.floor(value)
        nanos = min(round((value - whole) * _NANOS), _NANOS - 1)
        if not -62_135_596_800 <= whole <= _MAX_TIMESTAMP_SECONDS:
            raise invalid(method, param, "seconds since 1970, from the year 1 to 9999", value)
        target.seconds, target.nanos = whole, nanos
    else:
        raise invalid(method, param, "a datetime, or seconds since 1970", value)
    target.SetInParent()


def items(method: str, param: str, value: object) -> Iterable[object]:
    """The elements of a list. Text is not one."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise invalid(method, param, "a list", value)
    return value


def entries(method: str, param: str, value: object) -> Iterable[tuple[object, object]]:
    """Keys and values of a mapping."""
    if not isinstance(value, Mapping):
        raise invalid(method, param, "a dict", value)
    return value.items()


def at_most_one(method: str, **given: object) -> None:
    """Conditions of which one rules out the others. False is none."""
    names = [name for name, value in given.items() if value is not None and value is not False]
    if len(names) > 1:
        raise failure(
            "INVALID_REQUEST",
            f"{method}: {' and '.join(names)} rule each other out: give one of them",
            method=method,
            subject=names[1],
        )


def seconds(method: str, param: str, value: object, longest: float) -> float:
    """A timeout: seconds or a timedelta, above 0."""
    amount = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 < amount <= longest:
        raise invalid(method, param, f"seconds above 0 and up to {longest:g}, or a timedelta", value)
    return float(amount)


# Out of responses.


class _Decodable(Protocol[M_co]):
    def FromString(self, s: bytes, /) -> M_co: ...


def decoded(message: _Decodable[T], payload: bytes, method: str) -> T:
    """An encoded response. Fails with a typed error when it is malformed."""
    try:
        return message.FromString(payload)
    except DecodeError as error:
        raise undecodable(method, error) from error


def as_text(value: bytes, what: str) -> str:
    """Bytes as text. Fails with NOT_TEXT when they are not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise failure(
            "NOT_TEXT",
            f"{what}: the {len(value)} bytes are not UTF-8 (at byte {error.start})",
            method=what,
            cause=error,
        ) from error


def list_of(values: Iterable[T]) -> list[T]:
    """A repeated field as a list of its own."""
    return list(values)


def seconds_of(value: Duration) -> float:
    return value.seconds + value.nanos / _NANOS


def moment_of(value: Timestamp) -> datetime:
    """An aware datetime in UTC, to the microsecond."""
    return datetime.fromtimestamp(value.seconds, UTC) + timedelta(microseconds=value.nanos // 1000)
