from gomsg.sdk.v1 import options_pb2 as _options_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Consistency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSISTENCY_UNSPECIFIED: _ClassVar[Consistency]
    CONSISTENCY_LINEARIZABLE: _ClassVar[Consistency]
    CONSISTENCY_STALE: _ClassVar[Consistency]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_KEY: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_NAME: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_PATTERN: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_DURATION: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_CURSOR: _ClassVar[ErrorReason]
    ERROR_REASON_VALUE_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_BATCH_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_AN_INTEGER: _ClassVar[ErrorReason]
    ERROR_REASON_OVERFLOW: _ClassVar[ErrorReason]
    ERROR_REASON_KEY_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_QUEUE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_TOPIC_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_PARTITION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_CONSUMER_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_DELIVERY_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_NODE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_METHOD_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_ALREADY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_CONDITION_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_COMPACTED: _ClassVar[ErrorReason]
    ERROR_REASON_OFFSET_OUT_OF_RANGE: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_SETTINGS: _ClassVar[ErrorReason]
    ERROR_REASON_MEMBER_FENCED: _ClassVar[ErrorReason]
    ERROR_REASON_QUEUE_FULL: _ClassVar[ErrorReason]
    ERROR_REASON_SESSION_EXPIRED: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_DRAINING: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_LEADER: _ClassVar[ErrorReason]
    ERROR_REASON_NO_QUORUM: _ClassVar[ErrorReason]
    ERROR_REASON_STALE_TOPOLOGY: _ClassVar[ErrorReason]
    ERROR_REASON_DISK_FULL: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_CANCELED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_CLUSTERED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_CLIENT_CLOSED: _ClassVar[ErrorReason]
    ERROR_REASON_UNREACHABLE: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_TEXT: _ClassVar[ErrorReason]
    ERROR_REASON_RESULT_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_UNSAFE_INTEGER: _ClassVar[ErrorReason]
    ERROR_REASON_HANDLER_FAILED: _ClassVar[ErrorReason]
CONSISTENCY_UNSPECIFIED: Consistency
CONSISTENCY_LINEARIZABLE: Consistency
CONSISTENCY_STALE: Consistency
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_INVALID_KEY: ErrorReason
ERROR_REASON_INVALID_NAME: ErrorReason
ERROR_REASON_INVALID_PATTERN: ErrorReason
ERROR_REASON_INVALID_DURATION: ErrorReason
ERROR_REASON_INVALID_CURSOR: ErrorReason
ERROR_REASON_VALUE_TOO_LARGE: ErrorReason
ERROR_REASON_BATCH_TOO_LARGE: ErrorReason
ERROR_REASON_NOT_AN_INTEGER: ErrorReason
ERROR_REASON_OVERFLOW: ErrorReason
ERROR_REASON_KEY_NOT_FOUND: ErrorReason
ERROR_REASON_QUEUE_NOT_FOUND: ErrorReason
ERROR_REASON_TOPIC_NOT_FOUND: ErrorReason
ERROR_REASON_PARTITION_NOT_FOUND: ErrorReason
ERROR_REASON_CONSUMER_NOT_FOUND: ErrorReason
ERROR_REASON_DELIVERY_NOT_FOUND: ErrorReason
ERROR_REASON_NODE_NOT_FOUND: ErrorReason
ERROR_REASON_METHOD_NOT_FOUND: ErrorReason
ERROR_REASON_ALREADY_EXISTS: ErrorReason
ERROR_REASON_CONDITION_FAILED: ErrorReason
ERROR_REASON_COMPACTED: ErrorReason
ERROR_REASON_OFFSET_OUT_OF_RANGE: ErrorReason
ERROR_REASON_INVALID_SETTINGS: ErrorReason
ERROR_REASON_MEMBER_FENCED: ErrorReason
ERROR_REASON_QUEUE_FULL: ErrorReason
ERROR_REASON_SESSION_EXPIRED: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_DRAINING: ErrorReason
ERROR_REASON_NOT_LEADER: ErrorReason
ERROR_REASON_NO_QUORUM: ErrorReason
ERROR_REASON_STALE_TOPOLOGY: ErrorReason
ERROR_REASON_DISK_FULL: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_CANCELED: ErrorReason
ERROR_REASON_NOT_CLUSTERED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_CLIENT_CLOSED: ErrorReason
ERROR_REASON_UNREACHABLE: ErrorReason
ERROR_REASON_NOT_TEXT: ErrorReason
ERROR_REASON_RESULT_TOO_LARGE: ErrorReason
ERROR_REASON_UNSAFE_INTEGER: ErrorReason
ERROR_REASON_HANDLER_FAILED: ErrorReason

class ErrorDetail(_message.Message):
    __slots__ = ("reason", "subject", "leader", "topology_epoch", "retry_after", "current_version", "oldest_available", "newest_available")
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    CURRENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    OLDEST_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    NEWEST_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    reason: ErrorReason
    subject: str
    leader: NodeAddress
    topology_epoch: int
    retry_after: _duration_pb2.Duration
    current_version: int
    oldest_available: int
    newest_available: int
    def __init__(self, reason: _Optional[_Union[ErrorReason, str]] = ..., subject: _Optional[str] = ..., leader: _Optional[_Union[NodeAddress, _Mapping]] = ..., topology_epoch: _Optional[int] = ..., retry_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., current_version: _Optional[int] = ..., oldest_available: _Optional[int] = ..., newest_available: _Optional[int] = ...) -> None: ...

class NodeAddress(_message.Message):
    __slots__ = ("node_id", "address")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    address: str
    def __init__(self, node_id: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...
