"""Makes errors: of the client's own, of typed details, and of what gRPC says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from ._error import GomsgError, NodeAddress
from ._gen.errors import CATALOGUE, FAMILIES, UNSPECIFIED, ErrorReason
from .v1 import common_pb2

if TYPE_CHECKING:
    import grpc.aio

_UNAVAILABLE = 14
_DEADLINE_EXCEEDED = 4
_FINAL_CODES = frozenset((3, 5, 6, 7, 9, 11, 12, 16))
"""Failures that another try would not mend, where no reason is given."""

_STATUS_DETAILS = "grpc-status-details-bin"
_DETAIL_TYPE = "gomsg.v1.ErrorDetail"

_BY_NAME = {entry.reason: entry for entry in CATALOGUE.values()}


def failure(
    reason: str,
    message: str,
    *,
    method: str = "",
    subject: str = "",
    retry_after: float | None = None,
    cause: BaseException | None = None,
) -> GomsgError:
    """An error of the client's own, by the name of its reason."""
    entry = _BY_NAME[ErrorReason(reason)]
    error = FAMILIES.get(entry.code, GomsgError)(
        _with_action(message, entry.action),
        reason=entry.reason,
        code=entry.code,
        method=method,
        subject=subject,
        action=entry.action,
        retryable=entry.retryable,
        retry_after=retry_after,
    )
    error.__cause__ = cause
    return error


def _with_action(message: str, action: str) -> str:
    """What happened, and the way out."""
    return message if not action or action in message else f"{message.rstrip('.')}. {action}"


def without_action(error: GomsgError) -> str:
    """What happened, alone."""
    return error.message.removesuffix(error.action).rstrip(". ") if error.action else error.message


def is_passing(error: GomsgError) -> bool:
    """Whether another try can succeed."""
    if error.reason == UNSPECIFIED:
        return error.code not in _FINAL_CODES
    return error.retryable


def transport_failure(code: int, message: str, *, method: str = "", cause: BaseException | None = None) -> GomsgError:
    """An error of the connection or of a proxy: it has a code and no reason."""
    error = FAMILIES.get(code, GomsgError)(
        message, reason=UNSPECIFIED, code=code, method=method, retryable=code == _UNAVAILABLE
    )
    error.__cause__ = cause
    return error


def server_failure(
    code: int, message: str, detail: common_pb2.ErrorDetail, *, method: str = "", cause: BaseException | None = None
) -> GomsgError:
    """The error that a server sent with its typed detail."""
    entry = CATALOGUE.get(detail.reason)
    if entry is None:
        # None, or one of a server that is newer than this: the code and the text say what is known.
        reason, action, retryable = UNSPECIFIED, "", code == _UNAVAILABLE
    else:
        reason, action, retryable = entry.reason, entry.action, entry.retryable
    has_range = reason in (ErrorReason.COMPACTED, ErrorReason.OFFSET_OUT_OF_RANGE, ErrorReason.CONDITION_FAILED)
    retry_after = detail.retry_after
    text = f"{method}: {message}" if method and method not in message else message
    text = _with_action(text, action)
    error = FAMILIES.get(code, GomsgError)(
        text,
        reason=reason,
        code=code,
        method=method,
        subject=detail.subject,
        action=action,
        retryable=retryable,
        retry_after=retry_after.seconds + retry_after.nanos / 1e9 if detail.HasField("retry_after") else None,
        leader=NodeAddress(detail.leader.node_id, detail.leader.address) if detail.HasField("leader") else None,
        topology_epoch=detail.topology_epoch or None,
        current_version=detail.current_version or None,
        oldest_available=detail.oldest_available if has_range else None,
        newest_available=detail.newest_available if has_range else None,
    )
    error.__cause__ = cause
    return error


def rpc_failure(error: grpc.aio.AioRpcError, address: str, *, method: str = "") -> GomsgError:
    """What gRPC raised, with the server's typed detail where it sent one."""
    # Its frames hold the call, which holds the connection: whoever keeps the error must not keep that open.
    error.__traceback__ = None
    code: int = error.code().value[0]
    details = error.details() or error.code().name.lower().replace("_", " ")
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS and isinstance(value, bytes):
            detail = _status_detail(value)
            if detail is not None:
                return server_failure(code, details, detail, method=method, cause=error)
    prefix = f"{method}: " if method else ""
    if code == _DEADLINE_EXCEEDED:
        return failure(
            "DEADLINE_EXCEEDED", f"{prefix}{address}: {details}; a write may still be applied", method=method, cause=error
        )
    return transport_failure(code, f"{prefix}{address}: {details}", method=method, cause=error)


def _status_detail(trailer: bytes) -> common_pb2.ErrorDetail | None:
    """The detail inside an encoded google.rpc.Status; None when it has none, or is none."""
    try:
        for type_url, value in _any_details(trailer):
            if type_url.endswith(f"/{_DETAIL_TYPE}"):
                return common_pb2.ErrorDetail.FromString(value)
    except (DecodeError, ValueError, IndexError):
        return None
    return None


def _any_details(status: bytes) -> list[tuple[str, bytes]]:
    """`repeated google.protobuf.Any details = 3` of a google.rpc.Status, by hand: its module is in another package."""
    found: list[tuple[str, bytes]] = []
    for number, content in _fields(status):
        if number == 3:
            parts = dict(_fields(content))
            found.append((parts.get(1, b"").decode(), parts.get(2, b"")))
    return found


def _fields(message: bytes) -> list[tuple[int, bytes]]:
    """The length-delimited fields of an encoded message; varints are passed over."""
    fields: list[tuple[int, bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            _, at = _varint(message, at)
        elif tag & 7 == 2:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field reaches behind its message")
            fields.append((tag >> 3, message[at : at + length]))
            at += length
        else:
            raise ValueError(f"wire type {tag & 7}")
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than ten bytes")


def undecodable(method: str, cause: BaseException) -> GomsgError:
    """A response that is not what the rpc answers."""
    return transport_failure(2, f"{method}: the response is malformed: {cause}", method=method, cause=cause)
