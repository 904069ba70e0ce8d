"""Errors as the protocol tells them: as the SDK's user sees them, with isinstance for their families."""

from __future__ import annotations

import conformance_pb2 as wire
from dispatch import FAMILIES, METHODS

import gomsg

_UNKNOWN = 2

_SNAKE_NAMES = {f"{entry.service}.{entry.name}": name for name, entry in METHODS.items()}


def error_to_wire(error: BaseException) -> wire.Error:
    if not isinstance(error, gomsg.GomsgError):
        return wire.Error(code=_UNKNOWN, message=f"{type(error).__name__}: {error}")
    family = next((name for name, kind in FAMILIES.items() if isinstance(error, kind)), "")
    return wire.Error(
        reason="" if error.reason == gomsg.ErrorReason.UNSPECIFIED else str(error.reason),
        code=error.code,
        family=family,
        message=str(error),
        subject=error.subject,
        retryable=error.retryable,
        method=_SNAKE_NAMES.get(error.method, error.method),
    )
