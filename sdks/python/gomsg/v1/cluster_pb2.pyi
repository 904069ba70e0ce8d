from gomsg.sdk.v1 import options_pb2 as _options_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NodeState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NODE_STATE_UNSPECIFIED: _ClassVar[NodeState]
    NODE_STATE_JOINING: _ClassVar[NodeState]
    NODE_STATE_UP: _ClassVar[NodeState]
    NODE_STATE_DOWN: _ClassVar[NodeState]
    NODE_STATE_LEAVING: _ClassVar[NodeState]
    NODE_STATE_DRAINING: _ClassVar[NodeState]

class ClusterState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLUSTER_STATE_UNSPECIFIED: _ClassVar[ClusterState]
    CLUSTER_STATE_HEALTHY: _ClassVar[ClusterState]
    CLUSTER_STATE_DEGRADED: _ClassVar[ClusterState]
    CLUSTER_STATE_UNAVAILABLE: _ClassVar[ClusterState]

class MovePhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVE_PHASE_UNSPECIFIED: _ClassVar[MovePhase]
    MOVE_PHASE_WAITING: _ClassVar[MovePhase]
    MOVE_PHASE_CATCHING_UP: _ClassVar[MovePhase]
    MOVE_PHASE_CHANGING: _ClassVar[MovePhase]
    MOVE_PHASE_REMOVING: _ClassVar[MovePhase]

class MoveReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVE_REASON_UNSPECIFIED: _ClassVar[MoveReason]
    MOVE_REASON_REPLICATION: _ClassVar[MoveReason]
    MOVE_REASON_LEAVING: _ClassVar[MoveReason]
    MOVE_REASON_DOWN: _ClassVar[MoveReason]
    MOVE_REASON_LABELS: _ClassVar[MoveReason]
    MOVE_REASON_COUNT: _ClassVar[MoveReason]
    MOVE_REASON_LOAD: _ClassVar[MoveReason]
NODE_STATE_UNSPECIFIED: NodeState
NODE_STATE_JOINING: NodeState
NODE_STATE_UP: NodeState
NODE_STATE_DOWN: NodeState
NODE_STATE_LEAVING: NodeState
NODE_STATE_DRAINING: NodeState
CLUSTER_STATE_UNSPECIFIED: ClusterState
CLUSTER_STATE_HEALTHY: ClusterState
CLUSTER_STATE_DEGRADED: ClusterState
CLUSTER_STATE_UNAVAILABLE: ClusterState
MOVE_PHASE_UNSPECIFIED: MovePhase
MOVE_PHASE_WAITING: MovePhase
MOVE_PHASE_CATCHING_UP: MovePhase
MOVE_PHASE_CHANGING: MovePhase
MOVE_PHASE_REMOVING: MovePhase
MOVE_REASON_UNSPECIFIED: MoveReason
MOVE_REASON_REPLICATION: MoveReason
MOVE_REASON_LEAVING: MoveReason
MOVE_REASON_DOWN: MoveReason
MOVE_REASON_LABELS: MoveReason
MOVE_REASON_COUNT: MoveReason
MOVE_REASON_LOAD: MoveReason

class Node(_message.Message):
    __slots__ = ("node_id", "address", "state", "leader", "version", "host_label", "started_at", "replicas", "leaders", "replicas_arriving", "replicas_departing")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HOST_LABEL_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    LEADERS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_ARRIVING_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_DEPARTING_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    address: str
    state: NodeState
    leader: bool
    version: str
    host_label: str
    started_at: _timestamp_pb2.Timestamp
    replicas: int
    leaders: int
    replicas_arriving: int
    replicas_departing: int
    def __init__(self, node_id: _Optional[str] = ..., address: _Optional[str] = ..., state: _Optional[_Union[NodeState, str]] = ..., leader: bool = ..., version: _Optional[str] = ..., host_label: _Optional[str] = ..., started_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., replicas: _Optional[int] = ..., leaders: _Optional[int] = ..., replicas_arriving: _Optional[int] = ..., replicas_departing: _Optional[int] = ...) -> None: ...

class ClusterServiceNodesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClusterServiceNodesResponse(_message.Message):
    __slots__ = ("nodes",)
    NODES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    def __init__(self, nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ...) -> None: ...

class ClusterServiceStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClusterServiceStatusResponse(_message.Message):
    __slots__ = ("state", "cluster_id", "clustered", "topology_epoch", "groups", "problems", "nodes_up", "nodes_total", "moves", "warnings")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    CLUSTERED_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    NODES_UP_FIELD_NUMBER: _ClassVar[int]
    NODES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    MOVES_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    state: ClusterState
    cluster_id: str
    clustered: bool
    topology_epoch: int
    groups: _containers.RepeatedCompositeFieldContainer[GroupStatus]
    problems: _containers.RepeatedScalarFieldContainer[str]
    nodes_up: int
    nodes_total: int
    moves: _containers.RepeatedCompositeFieldContainer[GroupMove]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, state: _Optional[_Union[ClusterState, str]] = ..., cluster_id: _Optional[str] = ..., clustered: bool = ..., topology_epoch: _Optional[int] = ..., groups: _Optional[_Iterable[_Union[GroupStatus, _Mapping]]] = ..., problems: _Optional[_Iterable[str]] = ..., nodes_up: _Optional[int] = ..., nodes_total: _Optional[int] = ..., moves: _Optional[_Iterable[_Union[GroupMove, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class GroupMove(_message.Message):
    __slots__ = ("group", "from_node_ids", "to_node_ids", "phase", "percent", "reason")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    FROM_NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    TO_NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    group: int
    from_node_ids: _containers.RepeatedScalarFieldContainer[str]
    to_node_ids: _containers.RepeatedScalarFieldContainer[str]
    phase: MovePhase
    percent: int
    reason: MoveReason
    def __init__(self, group: _Optional[int] = ..., from_node_ids: _Optional[_Iterable[str]] = ..., to_node_ids: _Optional[_Iterable[str]] = ..., phase: _Optional[_Union[MovePhase, str]] = ..., percent: _Optional[int] = ..., reason: _Optional[_Union[MoveReason, str]] = ...) -> None: ...

class GroupStatus(_message.Message):
    __slots__ = ("group", "leader_node_id", "term", "commit_index", "applied_index", "voter_node_ids", "learner_node_ids", "slots", "flushed_index", "writes_per_second", "reads_per_second", "bytes")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LEADER_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    VOTER_NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    LEARNER_NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    FLUSHED_INDEX_FIELD_NUMBER: _ClassVar[int]
    WRITES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    READS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    group: int
    leader_node_id: str
    term: int
    commit_index: int
    applied_index: int
    voter_node_ids: _containers.RepeatedScalarFieldContainer[str]
    learner_node_ids: _containers.RepeatedScalarFieldContainer[str]
    slots: int
    flushed_index: int
    writes_per_second: float
    reads_per_second: float
    bytes: int
    def __init__(self, group: _Optional[int] = ..., leader_node_id: _Optional[str] = ..., term: _Optional[int] = ..., commit_index: _Optional[int] = ..., applied_index: _Optional[int] = ..., voter_node_ids: _Optional[_Iterable[str]] = ..., learner_node_ids: _Optional[_Iterable[str]] = ..., slots: _Optional[int] = ..., flushed_index: _Optional[int] = ..., writes_per_second: _Optional[float] = ..., reads_per_second: _Optional[float] = ..., bytes: _Optional[int] = ...) -> None: ...

class ClusterServiceLeaderRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClusterServiceLeaderResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: Node
    def __init__(self, node: _Optional[_Union[Node, _Mapping]] = ...) -> None: ...

class ClusterServiceHealthRequest(_message.Message):
    __slots__ = ("node_id",)
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class ClusterServiceHealthResponse(_message.Message):
    __slots__ = ("healthy", "node", "checks")
    HEALTHY_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    healthy: bool
    node: Node
    checks: _containers.RepeatedCompositeFieldContainer[HealthCheck]
    def __init__(self, healthy: bool = ..., node: _Optional[_Union[Node, _Mapping]] = ..., checks: _Optional[_Iterable[_Union[HealthCheck, _Mapping]]] = ...) -> None: ...

class HealthCheck(_message.Message):
    __slots__ = ("name", "ok", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    ok: bool
    detail: str
    def __init__(self, name: _Optional[str] = ..., ok: bool = ..., detail: _Optional[str] = ...) -> None: ...

class ClusterServiceJoinRequest(_message.Message):
    __slots__ = ("node_id", "address")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    address: str
    def __init__(self, node_id: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class ClusterServiceJoinResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: Node
    def __init__(self, node: _Optional[_Union[Node, _Mapping]] = ...) -> None: ...

class ClusterServiceLeaveRequest(_message.Message):
    __slots__ = ("node_id", "fewer_replicas")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    FEWER_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    fewer_replicas: bool
    def __init__(self, node_id: _Optional[str] = ..., fewer_replicas: bool = ...) -> None: ...

class ClusterServiceLeaveResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: Node
    def __init__(self, node: _Optional[_Union[Node, _Mapping]] = ...) -> None: ...

class ClusterServiceStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClusterServiceStatsResponse(_message.Message):
    __slots__ = ("stats",)
    STATS_FIELD_NUMBER: _ClassVar[int]
    stats: ClusterStats
    def __init__(self, stats: _Optional[_Union[ClusterStats, _Mapping]] = ...) -> None: ...

class ClusterStats(_message.Message):
    __slots__ = ("taken_at", "total", "nodes")
    TAKEN_AT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    taken_at: _timestamp_pb2.Timestamp
    total: NodeStats
    nodes: _containers.RepeatedCompositeFieldContainer[NodeStats]
    def __init__(self, taken_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., total: _Optional[_Union[NodeStats, _Mapping]] = ..., nodes: _Optional[_Iterable[_Union[NodeStats, _Mapping]]] = ...) -> None: ...

class NodeStats(_message.Message):
    __slots__ = ("node_id", "keys", "queues", "queue_messages", "topics", "stream_messages", "calls_total", "errors_total", "calls_per_second", "log_entries_total", "log_bytes_total", "log_syncs_total", "log_sync_p50", "log_sync_p99", "disk_bytes", "disk_free_bytes", "memory_bytes", "cpu_time", "connections", "subscriptions", "in_flight_bytes", "uptime")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    STREAM_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CALLS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ERRORS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    CALLS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LOG_ENTRIES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LOG_SYNCS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LOG_SYNC_P50_FIELD_NUMBER: _ClassVar[int]
    LOG_SYNC_P99_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_BYTES_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    keys: int
    queues: int
    queue_messages: int
    topics: int
    stream_messages: int
    calls_total: int
    errors_total: int
    calls_per_second: float
    log_entries_total: int
    log_bytes_total: int
    log_syncs_total: int
    log_sync_p50: _duration_pb2.Duration
    log_sync_p99: _duration_pb2.Duration
    disk_bytes: int
    disk_free_bytes: int
    memory_bytes: int
    cpu_time: _duration_pb2.Duration
    connections: int
    subscriptions: int
    in_flight_bytes: int
    uptime: _duration_pb2.Duration
    def __init__(self, node_id: _Optional[str] = ..., keys: _Optional[int] = ..., queues: _Optional[int] = ..., queue_messages: _Optional[int] = ..., topics: _Optional[int] = ..., stream_messages: _Optional[int] = ..., calls_total: _Optional[int] = ..., errors_total: _Optional[int] = ..., calls_per_second: _Optional[float] = ..., log_entries_total: _Optional[int] = ..., log_bytes_total: _Optional[int] = ..., log_syncs_total: _Optional[int] = ..., log_sync_p50: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., log_sync_p99: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., disk_bytes: _Optional[int] = ..., disk_free_bytes: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., cpu_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., connections: _Optional[int] = ..., subscriptions: _Optional[int] = ..., in_flight_bytes: _Optional[int] = ..., uptime: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ClusterServiceGetTopologyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClusterServiceGetTopologyResponse(_message.Message):
    __slots__ = ("epoch", "groups", "nodes")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    groups: _containers.RepeatedCompositeFieldContainer[GroupTopology]
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    def __init__(self, epoch: _Optional[int] = ..., groups: _Optional[_Iterable[_Union[GroupTopology, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ...) -> None: ...

class GroupTopology(_message.Message):
    __slots__ = ("group", "slots", "leader_node_id", "replica_node_ids")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    LEADER_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    REPLICA_NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    group: int
    slots: _containers.RepeatedCompositeFieldContainer[SlotRange]
    leader_node_id: str
    replica_node_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, group: _Optional[int] = ..., slots: _Optional[_Iterable[_Union[SlotRange, _Mapping]]] = ..., leader_node_id: _Optional[str] = ..., replica_node_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SlotRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class ClusterServiceWatchStatsRequest(_message.Message):
    __slots__ = ("interval",)
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    interval: _duration_pb2.Duration
    def __init__(self, interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ClusterServiceWatchStatsResponse(_message.Message):
    __slots__ = ("stats",)
    STATS_FIELD_NUMBER: _ClassVar[int]
    stats: ClusterStats
    def __init__(self, stats: _Optional[_Union[ClusterStats, _Mapping]] = ...) -> None: ...
