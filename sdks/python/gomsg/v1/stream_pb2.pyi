from gomsg.sdk.v1 import options_pb2 as _options_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TopicSettings(_message.Message):
    __slots__ = ("partitions", "retention_age", "retention_bytes", "retention_messages")
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    RETENTION_AGE_FIELD_NUMBER: _ClassVar[int]
    RETENTION_BYTES_FIELD_NUMBER: _ClassVar[int]
    RETENTION_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    partitions: int
    retention_age: _duration_pb2.Duration
    retention_bytes: int
    retention_messages: int
    def __init__(self, partitions: _Optional[int] = ..., retention_age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., retention_bytes: _Optional[int] = ..., retention_messages: _Optional[int] = ...) -> None: ...

class StreamServiceCreateRequest(_message.Message):
    __slots__ = ("topic", "settings")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    settings: TopicSettings
    def __init__(self, topic: _Optional[str] = ..., settings: _Optional[_Union[TopicSettings, _Mapping]] = ...) -> None: ...

class StreamServiceCreateResponse(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: TopicSettings
    def __init__(self, settings: _Optional[_Union[TopicSettings, _Mapping]] = ...) -> None: ...

class StreamServiceConfigureRequest(_message.Message):
    __slots__ = ("topic", "settings")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    settings: TopicSettings
    def __init__(self, topic: _Optional[str] = ..., settings: _Optional[_Union[TopicSettings, _Mapping]] = ...) -> None: ...

class StreamServiceConfigureResponse(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: TopicSettings
    def __init__(self, settings: _Optional[_Union[TopicSettings, _Mapping]] = ...) -> None: ...

class StreamServicePublishRequest(_message.Message):
    __slots__ = ("topic", "payload", "key", "headers", "partition", "expected_offset")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_OFFSET_FIELD_NUMBER: _ClassVar[int]
    topic: str
    payload: bytes
    key: str
    headers: _containers.ScalarMap[str, str]
    partition: int
    expected_offset: int
    def __init__(self, topic: _Optional[str] = ..., payload: _Optional[bytes] = ..., key: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., partition: _Optional[int] = ..., expected_offset: _Optional[int] = ...) -> None: ...

class StreamServicePublishResponse(_message.Message):
    __slots__ = ("message_id", "partition", "offset")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    partition: int
    offset: int
    def __init__(self, message_id: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class StreamPublication(_message.Message):
    __slots__ = ("payload", "key", "headers")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    key: str
    headers: _containers.ScalarMap[str, str]
    def __init__(self, payload: _Optional[bytes] = ..., key: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ...) -> None: ...

class StreamServicePublishBatchRequest(_message.Message):
    __slots__ = ("topic", "messages", "partition")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    topic: str
    messages: _containers.RepeatedCompositeFieldContainer[StreamPublication]
    partition: int
    def __init__(self, topic: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[StreamPublication, _Mapping]]] = ..., partition: _Optional[int] = ...) -> None: ...

class StreamServicePublishBatchResponse(_message.Message):
    __slots__ = ("positions",)
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedCompositeFieldContainer[StreamPosition]
    def __init__(self, positions: _Optional[_Iterable[_Union[StreamPosition, _Mapping]]] = ...) -> None: ...

class StreamPosition(_message.Message):
    __slots__ = ("partition", "offset")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    partition: int
    offset: int
    def __init__(self, partition: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class StreamMessage(_message.Message):
    __slots__ = ("topic", "partition", "offset", "key", "payload", "headers", "published_at")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partition: int
    offset: int
    key: str
    payload: bytes
    headers: _containers.ScalarMap[str, str]
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., key: _Optional[str] = ..., payload: _Optional[bytes] = ..., headers: _Optional[_Mapping[str, str]] = ..., published_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StreamStart(_message.Message):
    __slots__ = ("earliest", "latest", "offset", "time")
    EARLIEST_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    earliest: bool
    latest: bool
    offset: int
    time: _timestamp_pb2.Timestamp
    def __init__(self, earliest: bool = ..., latest: bool = ..., offset: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StreamServiceSubscribeRequest(_message.Message):
    __slots__ = ("topic", "start", "consumer", "group", "credit", "partitions")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    start: StreamStart
    consumer: str
    group: str
    credit: int
    partitions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, topic: _Optional[str] = ..., start: _Optional[_Union[StreamStart, _Mapping]] = ..., consumer: _Optional[str] = ..., group: _Optional[str] = ..., credit: _Optional[int] = ..., partitions: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamServiceSubscribeResponse(_message.Message):
    __slots__ = ("messages", "subscribed", "member_id", "assignment")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBED_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[StreamMessage]
    subscribed: bool
    member_id: str
    assignment: StreamAssignment
    def __init__(self, messages: _Optional[_Iterable[_Union[StreamMessage, _Mapping]]] = ..., subscribed: bool = ..., member_id: _Optional[str] = ..., assignment: _Optional[_Union[StreamAssignment, _Mapping]] = ...) -> None: ...

class StreamAssignment(_message.Message):
    __slots__ = ("generation", "positions")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    generation: int
    positions: _containers.RepeatedCompositeFieldContainer[StreamPosition]
    def __init__(self, generation: _Optional[int] = ..., positions: _Optional[_Iterable[_Union[StreamPosition, _Mapping]]] = ...) -> None: ...

class StreamServiceAckRequest(_message.Message):
    __slots__ = ("topic", "consumer", "partition", "offset", "member_id")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    topic: str
    consumer: str
    partition: int
    offset: int
    member_id: str
    def __init__(self, topic: _Optional[str] = ..., consumer: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., member_id: _Optional[str] = ...) -> None: ...

class StreamServiceAckResponse(_message.Message):
    __slots__ = ("committed_offset",)
    COMMITTED_OFFSET_FIELD_NUMBER: _ClassVar[int]
    committed_offset: int
    def __init__(self, committed_offset: _Optional[int] = ...) -> None: ...

class StreamServiceReadRequest(_message.Message):
    __slots__ = ("topic", "partition", "offset", "limit", "max_bytes")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partition: int
    offset: int
    limit: int
    max_bytes: int
    def __init__(self, topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., limit: _Optional[int] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class StreamServiceReadResponse(_message.Message):
    __slots__ = ("messages", "next_offset", "start_offset", "end_offset")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[StreamMessage]
    next_offset: int
    start_offset: int
    end_offset: int
    def __init__(self, messages: _Optional[_Iterable[_Union[StreamMessage, _Mapping]]] = ..., next_offset: _Optional[int] = ..., start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ...) -> None: ...

class StreamServiceReadFromRequest(_message.Message):
    __slots__ = ("topic", "time", "partition", "limit", "cursor")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    topic: str
    time: _timestamp_pb2.Timestamp
    partition: int
    limit: int
    cursor: bytes
    def __init__(self, topic: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., partition: _Optional[int] = ..., limit: _Optional[int] = ..., cursor: _Optional[bytes] = ...) -> None: ...

class StreamServiceReadFromResponse(_message.Message):
    __slots__ = ("messages", "next_cursor")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[StreamMessage]
    next_cursor: bytes
    def __init__(self, messages: _Optional[_Iterable[_Union[StreamMessage, _Mapping]]] = ..., next_cursor: _Optional[bytes] = ...) -> None: ...

class StreamServiceSeekRequest(_message.Message):
    __slots__ = ("topic", "consumer", "position", "partition")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    topic: str
    consumer: str
    position: StreamStart
    partition: int
    def __init__(self, topic: _Optional[str] = ..., consumer: _Optional[str] = ..., position: _Optional[_Union[StreamStart, _Mapping]] = ..., partition: _Optional[int] = ...) -> None: ...

class StreamServiceSeekResponse(_message.Message):
    __slots__ = ("positions",)
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedCompositeFieldContainer[StreamPosition]
    def __init__(self, positions: _Optional[_Iterable[_Union[StreamPosition, _Mapping]]] = ...) -> None: ...

class StreamServiceGetOffsetRequest(_message.Message):
    __slots__ = ("topic", "consumer", "partition")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    topic: str
    consumer: str
    partition: int
    def __init__(self, topic: _Optional[str] = ..., consumer: _Optional[str] = ..., partition: _Optional[int] = ...) -> None: ...

class StreamServiceGetOffsetResponse(_message.Message):
    __slots__ = ("offset", "lag")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    offset: int
    lag: int
    def __init__(self, offset: _Optional[int] = ..., lag: _Optional[int] = ...) -> None: ...

class StreamServiceInfoRequest(_message.Message):
    __slots__ = ("topic",)
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    topic: str
    def __init__(self, topic: _Optional[str] = ...) -> None: ...

class StreamServiceInfoResponse(_message.Message):
    __slots__ = ("info",)
    INFO_FIELD_NUMBER: _ClassVar[int]
    info: TopicInfo
    def __init__(self, info: _Optional[_Union[TopicInfo, _Mapping]] = ...) -> None: ...

class TopicInfo(_message.Message):
    __slots__ = ("topic", "settings", "partitions", "consumers", "messages", "bytes", "created_at")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    CONSUMERS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    topic: str
    settings: TopicSettings
    partitions: _containers.RepeatedCompositeFieldContainer[PartitionInfo]
    consumers: _containers.RepeatedCompositeFieldContainer[ConsumerInfo]
    messages: int
    bytes: int
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, topic: _Optional[str] = ..., settings: _Optional[_Union[TopicSettings, _Mapping]] = ..., partitions: _Optional[_Iterable[_Union[PartitionInfo, _Mapping]]] = ..., consumers: _Optional[_Iterable[_Union[ConsumerInfo, _Mapping]]] = ..., messages: _Optional[int] = ..., bytes: _Optional[int] = ..., created_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PartitionInfo(_message.Message):
    __slots__ = ("partition", "start_offset", "end_offset", "bytes", "leader_node_id")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    LEADER_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    partition: int
    start_offset: int
    end_offset: int
    bytes: int
    leader_node_id: str
    def __init__(self, partition: _Optional[int] = ..., start_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., bytes: _Optional[int] = ..., leader_node_id: _Optional[str] = ...) -> None: ...

class ConsumerInfo(_message.Message):
    __slots__ = ("name", "group", "members", "offsets", "lag", "lag_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    LAG_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    group: bool
    members: _containers.RepeatedCompositeFieldContainer[MemberInfo]
    offsets: _containers.RepeatedCompositeFieldContainer[ConsumerOffset]
    lag: int
    lag_time: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., group: bool = ..., members: _Optional[_Iterable[_Union[MemberInfo, _Mapping]]] = ..., offsets: _Optional[_Iterable[_Union[ConsumerOffset, _Mapping]]] = ..., lag: _Optional[int] = ..., lag_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class MemberInfo(_message.Message):
    __slots__ = ("member_id", "partitions")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    partitions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, member_id: _Optional[str] = ..., partitions: _Optional[_Iterable[int]] = ...) -> None: ...

class ConsumerOffset(_message.Message):
    __slots__ = ("partition", "offset", "lag")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    partition: int
    offset: int
    lag: int
    def __init__(self, partition: _Optional[int] = ..., offset: _Optional[int] = ..., lag: _Optional[int] = ...) -> None: ...

class StreamServiceListRequest(_message.Message):
    __slots__ = ("prefix", "limit", "cursor")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    limit: int
    cursor: bytes
    def __init__(self, prefix: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[bytes] = ...) -> None: ...

class StreamServiceListResponse(_message.Message):
    __slots__ = ("topics", "next_cursor")
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    topics: _containers.RepeatedCompositeFieldContainer[TopicInfo]
    next_cursor: bytes
    def __init__(self, topics: _Optional[_Iterable[_Union[TopicInfo, _Mapping]]] = ..., next_cursor: _Optional[bytes] = ...) -> None: ...

class StreamServiceDeleteRequest(_message.Message):
    __slots__ = ("topic",)
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    topic: str
    def __init__(self, topic: _Optional[str] = ...) -> None: ...

class StreamServiceDeleteResponse(_message.Message):
    __slots__ = ("deleted",)
    DELETED_FIELD_NUMBER: _ClassVar[int]
    deleted: bool
    def __init__(self, deleted: bool = ...) -> None: ...

class StreamServicePurgeRequest(_message.Message):
    __slots__ = ("topic", "before_offset", "partition")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    BEFORE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    topic: str
    before_offset: int
    partition: int
    def __init__(self, topic: _Optional[str] = ..., before_offset: _Optional[int] = ..., partition: _Optional[int] = ...) -> None: ...

class StreamServicePurgeResponse(_message.Message):
    __slots__ = ("purged",)
    PURGED_FIELD_NUMBER: _ClassVar[int]
    purged: int
    def __init__(self, purged: _Optional[int] = ...) -> None: ...
