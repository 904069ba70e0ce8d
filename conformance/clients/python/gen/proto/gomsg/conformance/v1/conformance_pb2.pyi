from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STREAM_FORM_UNSPECIFIED: _ClassVar[StreamForm]
    STREAM_FORM_HANDLER: _ClassVar[StreamForm]
    STREAM_FORM_ITERATOR: _ClassVar[StreamForm]

class ItemAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ITEM_ACTION_UNSPECIFIED: _ClassVar[ItemAction]
    ITEM_ACTION_ACK: _ClassVar[ItemAction]
    ITEM_ACTION_NACK: _ClassVar[ItemAction]
    ITEM_ACTION_FAIL: _ClassVar[ItemAction]
STREAM_FORM_UNSPECIFIED: StreamForm
STREAM_FORM_HANDLER: StreamForm
STREAM_FORM_ITERATOR: StreamForm
ITEM_ACTION_UNSPECIFIED: ItemAction
ITEM_ACTION_ACK: ItemAction
ITEM_ACTION_NACK: ItemAction
ITEM_ACTION_FAIL: ItemAction

class Request(_message.Message):
    __slots__ = ("id", "connect", "call", "open_stream", "settle", "close_stream", "close_client", "cancel")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONNECT_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    OPEN_STREAM_FIELD_NUMBER: _ClassVar[int]
    SETTLE_FIELD_NUMBER: _ClassVar[int]
    CLOSE_STREAM_FIELD_NUMBER: _ClassVar[int]
    CLOSE_CLIENT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    id: int
    connect: Connect
    call: Call
    open_stream: OpenStream
    settle: Settle
    close_stream: CloseStream
    close_client: CloseClient
    cancel: Cancel
    def __init__(self, id: _Optional[int] = ..., connect: _Optional[_Union[Connect, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., open_stream: _Optional[_Union[OpenStream, _Mapping]] = ..., settle: _Optional[_Union[Settle, _Mapping]] = ..., close_stream: _Optional[_Union[CloseStream, _Mapping]] = ..., close_client: _Optional[_Union[CloseClient, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ...) -> None: ...

class Connect(_message.Message):
    __slots__ = ("client", "addresses", "timeout", "unreachable_timeout", "max_in_flight_bytes", "max_waiting_calls", "max_collected")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_WAITING_CALLS_FIELD_NUMBER: _ClassVar[int]
    MAX_COLLECTED_FIELD_NUMBER: _ClassVar[int]
    client: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    timeout: _duration_pb2.Duration
    unreachable_timeout: _duration_pb2.Duration
    max_in_flight_bytes: int
    max_waiting_calls: int
    max_collected: int
    def __init__(self, client: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., unreachable_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_in_flight_bytes: _Optional[int] = ..., max_waiting_calls: _Optional[int] = ..., max_collected: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("client", "method", "args", "options", "timeout")
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    client: str
    method: str
    args: _containers.RepeatedCompositeFieldContainer[Value]
    options: _containers.MessageMap[str, Value]
    timeout: _duration_pb2.Duration
    def __init__(self, client: _Optional[str] = ..., method: _Optional[str] = ..., args: _Optional[_Iterable[_Union[Value, _Mapping]]] = ..., options: _Optional[_Mapping[str, Value]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class OpenStream(_message.Message):
    __slots__ = ("client", "stream", "method", "args", "options", "form", "each", "handle_errors")
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    EACH_FIELD_NUMBER: _ClassVar[int]
    HANDLE_ERRORS_FIELD_NUMBER: _ClassVar[int]
    client: str
    stream: str
    method: str
    args: _containers.RepeatedCompositeFieldContainer[Value]
    options: _containers.MessageMap[str, Value]
    form: StreamForm
    each: ItemAction
    handle_errors: bool
    def __init__(self, client: _Optional[str] = ..., stream: _Optional[str] = ..., method: _Optional[str] = ..., args: _Optional[_Iterable[_Union[Value, _Mapping]]] = ..., options: _Optional[_Mapping[str, Value]] = ..., form: _Optional[_Union[StreamForm, str]] = ..., each: _Optional[_Union[ItemAction, str]] = ..., handle_errors: bool = ...) -> None: ...

class Settle(_message.Message):
    __slots__ = ("stream", "item", "action")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    stream: str
    item: int
    action: ItemAction
    def __init__(self, stream: _Optional[str] = ..., item: _Optional[int] = ..., action: _Optional[_Union[ItemAction, str]] = ...) -> None: ...

class CloseStream(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: str
    def __init__(self, stream: _Optional[str] = ...) -> None: ...

class CloseClient(_message.Message):
    __slots__ = ("client",)
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    client: str
    def __init__(self, client: _Optional[str] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    def __init__(self, request_id: _Optional[int] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("id", "result", "error", "event", "closed")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    id: int
    result: Value
    error: Error
    event: StreamEvent
    closed: Closed
    def __init__(self, id: _Optional[int] = ..., result: _Optional[_Union[Value, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., event: _Optional[_Union[StreamEvent, _Mapping]] = ..., closed: _Optional[_Union[Closed, _Mapping]] = ...) -> None: ...

class StreamEvent(_message.Message):
    __slots__ = ("stream", "item", "failed", "ended", "handled")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    HANDLED_FIELD_NUMBER: _ClassVar[int]
    stream: str
    item: Value
    failed: Error
    ended: bool
    handled: Error
    def __init__(self, stream: _Optional[str] = ..., item: _Optional[_Union[Value, _Mapping]] = ..., failed: _Optional[_Union[Error, _Mapping]] = ..., ended: bool = ..., handled: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class Closed(_message.Message):
    __slots__ = ("leaked",)
    LEAKED_FIELD_NUMBER: _ClassVar[int]
    leaked: int
    def __init__(self, leaked: _Optional[int] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("null", "bool", "integer", "number", "text", "bytes", "duration", "timestamp", "list", "fields", "unsigned")
    NULL_FIELD_NUMBER: _ClassVar[int]
    BOOL_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    UNSIGNED_FIELD_NUMBER: _ClassVar[int]
    null: bool
    bool: bool
    integer: int
    number: float
    text: str
    bytes: bytes
    duration: _duration_pb2.Duration
    timestamp: _timestamp_pb2.Timestamp
    list: Values
    fields: Fields
    unsigned: int
    def __init__(self, null: bool = ..., bool: bool = ..., integer: _Optional[int] = ..., number: _Optional[float] = ..., text: _Optional[str] = ..., bytes: _Optional[bytes] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., list: _Optional[_Union[Values, _Mapping]] = ..., fields: _Optional[_Union[Fields, _Mapping]] = ..., unsigned: _Optional[int] = ...) -> None: ...

class Values(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class Fields(_message.Message):
    __slots__ = ("fields",)
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.MessageMap[str, Value]
    def __init__(self, fields: _Optional[_Mapping[str, Value]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("reason", "code", "family", "message", "subject", "retryable", "method")
    REASON_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    reason: str
    code: int
    family: str
    message: str
    subject: str
    retryable: bool
    method: str
    def __init__(self, reason: _Optional[str] = ..., code: _Optional[int] = ..., family: _Optional[str] = ..., message: _Optional[str] = ..., subject: _Optional[str] = ..., retryable: bool = ..., method: _Optional[str] = ...) -> None: ...
