"""Values of the protocol to and from those of Python. What has not the shape that it should goes as it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import conformance_pb2 as wire
from dispatch import DURATIONS, GIVEN, METHODS

import gomsg

_NANOS = 1_000_000_000

_MESSAGE_FIELDS = {
    gomsg.QueueMessage: (
        "id",
        "message_id",
        "queue",
        "data_bytes",
        "headers",
        "priority",
        "attempt",
        "pushed_at",
        "lease_expires_at",
    ),
    gomsg.StreamMessage: (
        "id",
        "topic",
        "partition",
        "offset",
        "key",
        "data_bytes",
        "headers",
        "published_at",
    ),
}
"""Of the types that are no dataclasses."""


def from_wire(value: wire.Value, type_name: str | None = None) -> Any:
    """What the SDK is given. Objects become the type of that name; without one, dicts."""
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null":
        return None
    if kind == "duration":
        return timedelta(seconds=value.duration.seconds, microseconds=value.duration.nanos / 1000)
    if kind == "timestamp":
        return datetime.fromtimestamp(value.timestamp.seconds, UTC) + timedelta(
            microseconds=value.timestamp.nanos // 1000
        )
    if kind == "list":
        return [from_wire(element, type_name) for element in value.list.values]
    if kind == "fields":
        return _object(value.fields.fields, type_name)
    return getattr(value, kind)


def _object(fields: Mapping[str, wire.Value], type_name: str | None) -> Any:
    values = {name: from_wire(value) for name, value in fields.items()}
    if type_name == "StreamStart":
        return _stream_start(values)
    if type_name is None:
        return values
    try:
        return GIVEN[type_name](**values)
    except TypeError:
        return values  # Not its fields: the SDK is to say so.


def _stream_start(values: dict[str, Any]) -> Any:
    if len(values) == 1:
        ((name, value),) = values.items()
        if name == "earliest":
            return gomsg.StreamStart.earliest()
        if name == "latest":
            return gomsg.StreamStart.latest()
        if name == "offset":
            return gomsg.StreamStart.at_offset(value)
        if name == "time":
            return gomsg.StreamStart.at_time(value)
    return values


def to_wire(value: Any, is_duration: bool = False) -> wire.Value:
    """What the SDK gave."""
    if value is None:
        return wire.Value(null=True)
    if isinstance(value, bool):
        return wire.Value(bool=value)
    if isinstance(value, str):
        return wire.Value(text=str(value))
    if isinstance(value, bytes):
        return wire.Value(bytes=value)
    if isinstance(value, int | float) and is_duration:
        whole = math.floor(value)
        result = wire.Value()
        result.duration.seconds = whole
        result.duration.nanos = min(round((value - whole) * _NANOS), _NANOS - 1)
        result.duration.SetInParent()
        return result
    if isinstance(value, int):
        return wire.Value(unsigned=value) if value >= 2**63 else wire.Value(integer=value)
    if isinstance(value, float):
        return wire.Value(number=value)
    if isinstance(value, datetime):
        result = wire.Value()
        since = value - datetime.fromtimestamp(0, UTC)
        result.timestamp.seconds = since.days * 86_400 + since.seconds
        result.timestamp.nanos = since.microseconds * 1000
        result.timestamp.SetInParent()
        return result
    if isinstance(value, list):
        result = wire.Value()
        result.list.SetInParent()
        result.list.values.extend(to_wire(element, is_duration) for element in value)
        return result
    if isinstance(value, dict):
        return _fields({name: to_wire(element) for name, element in value.items()})
    return _fields(_members(value))


def _members(value: Any) -> dict[str, wire.Value]:
    """The fields of an object. Text is there as bytes too, and null as text where it is none."""
    durations = DURATIONS.get(type(value).__name__, frozenset())
    names = _MESSAGE_FIELDS.get(type(value)) or tuple(field.name for field in dataclasses.fields(value))
    members: dict[str, wire.Value] = {}
    for name in names:
        members[name] = to_wire(getattr(value, name), name in durations)
        text = name.removesuffix("_bytes")
        if text != name and hasattr(type(value), text):
            members[text] = to_wire(_text_or_none(value, text))
    return members


def _text_or_none(value: Any, name: str) -> str | None:
    try:
        text: str = getattr(value, name)
        return text
    except gomsg.GomsgError as error:
        if error.reason != gomsg.ErrorReason.NOT_TEXT:
            raise
        return None


def _fields(members: Mapping[str, wire.Value]) -> wire.Value:
    result = wire.Value()
    result.fields.SetInParent()
    for name, member in members.items():
        result.fields.fields[name].CopyFrom(member)
    return result


def arguments(method: str, args: Any, options: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a method as Python gives them."""
    entry = METHODS[method]
    types = [*entry.params, *([None] * len(args))]
    return (
        [from_wire(value, type_name) for value, type_name in zip(args, types, strict=False)],
        {name: from_wire(value, entry.options.get(name)) for name, value in options.items()},
    )
