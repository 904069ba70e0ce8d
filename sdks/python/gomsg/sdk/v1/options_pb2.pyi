from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Resume(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESUME_UNSPECIFIED: _ClassVar[Resume]
    RESUME_RESTART: _ClassVar[Resume]
    RESUME_SUBSCRIPTION: _ClassVar[Resume]
    RESUME_CONSUMER: _ClassVar[Resume]
    RESUME_WATCH: _ClassVar[Resume]
RESUME_UNSPECIFIED: Resume
RESUME_RESTART: Resume
RESUME_SUBSCRIPTION: Resume
RESUME_CONSUMER: Resume
RESUME_WATCH: Resume
METHOD_FIELD_NUMBER: _ClassVar[int]
method: _descriptor.FieldDescriptor
MESSAGE_FIELD_NUMBER: _ClassVar[int]
message: _descriptor.FieldDescriptor
FIELD_FIELD_NUMBER: _ClassVar[int]
field: _descriptor.FieldDescriptor
ERROR_FIELD_NUMBER: _ClassVar[int]
error: _descriptor.FieldDescriptor

class MethodOptions(_message.Message):
    __slots__ = ("number", "route", "faces")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    FACES_FIELD_NUMBER: _ClassVar[int]
    number: int
    route: str
    faces: _containers.RepeatedCompositeFieldContainer[Face]
    def __init__(self, number: _Optional[int] = ..., route: _Optional[str] = ..., faces: _Optional[_Iterable[_Union[Face, _Mapping]]] = ...) -> None: ...

class Face(_message.Message):
    __slots__ = ("name", "spelled", "doc", "params", "presets", "options", "result", "stream")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPELLED_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    name: str
    spelled: SpelledNames
    doc: str
    params: _containers.RepeatedCompositeFieldContainer[Param]
    presets: _containers.RepeatedCompositeFieldContainer[Preset]
    options: _containers.RepeatedScalarFieldContainer[str]
    result: Result
    stream: Stream
    def __init__(self, name: _Optional[str] = ..., spelled: _Optional[_Union[SpelledNames, _Mapping]] = ..., doc: _Optional[str] = ..., params: _Optional[_Iterable[_Union[Param, _Mapping]]] = ..., presets: _Optional[_Iterable[_Union[Preset, _Mapping]]] = ..., options: _Optional[_Iterable[str]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., stream: _Optional[_Union[Stream, _Mapping]] = ...) -> None: ...

class SpelledNames(_message.Message):
    __slots__ = ("go", "node", "python")
    GO_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PYTHON_FIELD_NUMBER: _ClassVar[int]
    go: str
    node: str
    python: str
    def __init__(self, go: _Optional[str] = ..., node: _Optional[str] = ..., python: _Optional[str] = ...) -> None: ...

class Param(_message.Message):
    __slots__ = ("field", "name", "negate", "element", "map_key", "map_value")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NEGATE_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_FIELD_NUMBER: _ClassVar[int]
    MAP_KEY_FIELD_NUMBER: _ClassVar[int]
    MAP_VALUE_FIELD_NUMBER: _ClassVar[int]
    field: str
    name: str
    negate: bool
    element: str
    map_key: str
    map_value: str
    def __init__(self, field: _Optional[str] = ..., name: _Optional[str] = ..., negate: bool = ..., element: _Optional[str] = ..., map_key: _Optional[str] = ..., map_value: _Optional[str] = ...) -> None: ...

class Preset(_message.Message):
    __slots__ = ("field", "json")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    field: str
    json: str
    def __init__(self, field: _Optional[str] = ..., json: _Optional[str] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("field", "first", "element", "present", "pages", "fill", "optional")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    PAGES_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    field: str
    first: bool
    element: str
    present: str
    pages: bool
    fill: _containers.RepeatedScalarFieldContainer[str]
    optional: bool
    def __init__(self, field: _Optional[str] = ..., first: bool = ..., element: _Optional[str] = ..., present: _Optional[str] = ..., pages: bool = ..., fill: _Optional[_Iterable[str]] = ..., optional: bool = ...) -> None: ...

class Stream(_message.Message):
    __slots__ = ("items", "resume")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    items: str
    resume: Resume
    def __init__(self, items: _Optional[str] = ..., resume: _Optional[_Union[Resume, str]] = ...) -> None: ...

class MessageOptions(_message.Message):
    __slots__ = ("name", "handwritten")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HANDWRITTEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    handwritten: bool
    def __init__(self, name: _Optional[str] = ..., handwritten: bool = ...) -> None: ...

class FieldOptions(_message.Message):
    __slots__ = ("name", "text", "extends_timeout")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EXTENDS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    text: bool
    extends_timeout: bool
    def __init__(self, name: _Optional[str] = ..., text: bool = ..., extends_timeout: bool = ...) -> None: ...

class ErrorOptions(_message.Message):
    __slots__ = ("code", "retryable", "action")
    CODE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    code: int
    retryable: bool
    action: str
    def __init__(self, code: _Optional[int] = ..., retryable: bool = ..., action: _Optional[str] = ...) -> None: ...
