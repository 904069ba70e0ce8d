from gomsg.sdk.v1 import options_pb2 as _options_pb2
from gomsg.v1 import common_pb2 as _common_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PipelineServiceExecuteRequest(_message.Message):
    __slots__ = ("session_id", "answered_below", "calls", "topology_epoch")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_BELOW_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    session_id: int
    answered_below: int
    calls: _containers.RepeatedCompositeFieldContainer[PipelineCall]
    topology_epoch: int
    def __init__(self, session_id: _Optional[int] = ..., answered_below: _Optional[int] = ..., calls: _Optional[_Iterable[_Union[PipelineCall, _Mapping]]] = ..., topology_epoch: _Optional[int] = ...) -> None: ...

class PipelineCall(_message.Message):
    __slots__ = ("call_id", "method", "payload", "sequence", "timeout_ms", "retry")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    method: int
    payload: bytes
    sequence: int
    timeout_ms: int
    retry: bool
    def __init__(self, call_id: _Optional[int] = ..., method: _Optional[int] = ..., payload: _Optional[bytes] = ..., sequence: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., retry: bool = ...) -> None: ...

class PipelineServiceExecuteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[PipelineResult]
    def __init__(self, results: _Optional[_Iterable[_Union[PipelineResult, _Mapping]]] = ...) -> None: ...

class PipelineResult(_message.Message):
    __slots__ = ("call_id", "payload", "error")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    payload: bytes
    error: PipelineError
    def __init__(self, call_id: _Optional[int] = ..., payload: _Optional[bytes] = ..., error: _Optional[_Union[PipelineError, _Mapping]] = ...) -> None: ...

class PipelineError(_message.Message):
    __slots__ = ("code", "message", "detail")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    detail: _common_pb2.ErrorDetail
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., detail: _Optional[_Union[_common_pb2.ErrorDetail, _Mapping]] = ...) -> None: ...

class PipelineServiceOpenSessionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PipelineServiceOpenSessionResponse(_message.Message):
    __slots__ = ("session_id", "idle_timeout")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IDLE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    session_id: int
    idle_timeout: _duration_pb2.Duration
    def __init__(self, session_id: _Optional[int] = ..., idle_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PipelineServiceCloseSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: int
    def __init__(self, session_id: _Optional[int] = ...) -> None: ...

class PipelineServiceCloseSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
