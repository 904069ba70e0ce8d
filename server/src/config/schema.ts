/**
 * Every setting of a node, once. Flags, `GOMSG_*` variables, the YAML file, the `Config` type, `--help` and
 * `config/default.yaml` are all read off this table; `npm run generate:config` writes the last.
 */
import { address, boolean, duration, integer, list, oneOf, size, text } from './kinds.ts';
import { type NamedSetting, nameSetting, type Setting, setting } from './setting.ts';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A row of the store holds 16 MiB; a record and its history carry a little beside the value. */
const VALUE_BYTES_MAX = 15 * MIB;

const NO_PROCESS_NEEDS_MORE = 1_000_000;

const file = text({ placeholder: 'FILE', expected: 'the path of a file', pattern: /^[^\0]+$/ });
const name = text({
  placeholder: 'NAME',
  expected: 'up to 64 letters, digits, dots, dashes or underscores, the first a letter or digit',
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
});

export const SETTINGS = {
  port: setting({
    section: 'server',
    kind: integer({ min: 0, max: 65_535 }),
    default: 9000,
    description:
      'TCP port for everything: gRPC, Connect, gRPC-Web, JSON, /metrics, /healthz and /readyz. 0 takes a free port, which the log names.',
  }),
  host: setting({
    section: 'server',
    kind: text({ placeholder: 'HOST', expected: 'a host name or IP address', pattern: /^[^\s/]{1,253}$/ }),
    default: '127.0.0.1',
    description:
      'Address to listen on. The default keeps a node without authentication private to its machine; 0.0.0.0 (in a container, or behind a firewall) opens it to the network.',
  }),
  nodeId: setting({
    section: 'server',
    kind: name,
    default: undefined,
    example: 'node1',
    description:
      'Name of this node, unique in its cluster for ever. Unset: made up on the first start and kept in the data folder.',
  }),
  drainTimeoutMs: setting({
    section: 'server',
    kind: duration({ minMs: 0, maxMs: 10 * MINUTE }),
    default: 10 * SECOND,
    description:
      'On SIGTERM: how long the calls in hand may take to finish before their connections are closed. Acknowledged writes are safe either way.',
  }),
  handshakeTimeoutMs: setting({
    section: 'server',
    kind: duration({ minMs: 100, maxMs: 10 * MINUTE }),
    default: 10 * SECOND,
    description:
      'A connection that has not said which protocol it speaks, or finished its TLS handshake, by then is closed.',
  }),
  keepaliveIntervalMs: setting({
    section: 'server',
    kind: duration({ minMs: SECOND, maxMs: DAY }),
    default: 30 * SECOND,
    description: 'How often the server pings a quiet gRPC connection, to find dead peers.',
  }),
  keepaliveTimeoutMs: setting({
    section: 'server',
    kind: duration({ minMs: 100, maxMs: 10 * MINUTE }),
    default: 10 * SECOND,
    description: 'A gRPC connection that leaves a ping unanswered this long is closed.',
  }),
  idleTimeoutMs: setting({
    section: 'server',
    kind: duration({ minMs: SECOND, maxMs: DAY, zeroMeans: 'never' }),
    default: 0,
    description: 'A gRPC connection without a call for this long is asked to close.',
  }),

  tlsCert: setting({
    section: 'tls',
    kind: file,
    default: undefined,
    example: '/etc/gomsg/server.crt',
    description: 'PEM certificate chain of the server. Unset: no TLS.',
  }),
  tlsKey: setting({
    section: 'tls',
    kind: file,
    default: undefined,
    example: '/etc/gomsg/server.key',
    description: 'PEM private key of tls.cert.',
  }),
  tlsCa: setting({
    section: 'tls',
    kind: file,
    default: undefined,
    example: '/etc/gomsg/ca.crt',
    description: 'PEM authorities. Set: clients and nodes must show a certificate that one of them signed.',
  }),

  cluster: setting({
    section: 'cluster',
    yamlKey: 'enabled',
    kind: boolean,
    default: false,
    description: 'Run as a member of a cluster. Off: one node, on its own.',
  }),
  bootstrap: setting({
    section: 'cluster',
    kind: boolean,
    default: false,
    description:
      'Found a new cluster with this node as its first member. A node that is already a member ignores it. With --join it asks those addresses first, and joins where there is a cluster already: so a founder that lost its data folder founds no second one.',
  }),
  join: setting({
    section: 'cluster',
    kind: list(address, { maxItems: 64 }),
    default: [],
    description:
      'Members to ask for admission, any of them. A node that is already a member does not need it, and ends when they belong to another cluster.',
  }),
  advertise: setting({
    section: 'cluster',
    kind: address,
    default: undefined,
    example: 'gomsg-1.example.com:9000',
    description:
      'Address that clients and the other nodes reach this node at. Unset: the host it listens on, or the name of the machine when it listens on every address, with its port.',
  }),
  hostLabel: setting({
    section: 'cluster',
    kind: name,
    default: undefined,
    example: 'rack-1',
    description:
      'What fails together (a machine, a rack, a zone): replicas of one group avoid sharing a label. Unset: none.',
  }),
  groups: setting({
    section: 'cluster',
    kind: integer({ min: 1, max: 1024 }),
    default: undefined,
    example: '16',
    description:
      'Raft groups for data, settled when the data folder or the cluster is founded. More of them spread leaders over more nodes and cores. Unset: 1 for a node on its own, 16 in a cluster.',
  }),
  replication: setting({
    section: 'cluster',
    kind: integer({ min: 1, max: 9 }),
    default: 3,
    description:
      'Replicas of each group that bootstrap asks for: 3 survive the loss of one node, 5 of two. While there are fewer nodes there are fewer replicas; as nodes join they are added.',
  }),
  replaceAfterMs: setting({
    section: 'cluster',
    kind: duration({ minMs: 10 * SECOND, maxMs: 30 * DAY, zeroMeans: 'never' }),
    default: 5 * MINUTE,
    description:
      'How long a node is down before its replicas are made anew on others; give all nodes the same. Longer than a restart takes, or every upgrade copies data. A node that is back later gets replicas again.',
  }),
  snapshotBytesPerSecond: setting({
    section: 'cluster',
    kind: size({ min: 8 * MIB, max: 16 * GIB }),
    default: 64 * MIB,
    description:
      'The most that this node sends of snapshots to other nodes, all of them together, so that moving data leaves disk and network to the writes.',
  }),

  clusterSecret: setting({
    section: 'cluster',
    kind: text({
      placeholder: 'SECRET',
      expected: '16 to 256 printable characters',
      pattern: /^[\x21-\x7e]{16,256}$/,
    }),
    default: undefined,
    secret: true,
    example: 'at-least-16-random-characters',
    description:
      'Shared by all nodes of a cluster and shown on every link between them. Better given as a variable than as a flag, which other users of the machine can read.',
  }),

  storage: setting({
    section: 'storage',
    yamlKey: 'engine',
    kind: oneOf('lmdb', 'memory'),
    default: 'lmdb',
    description: 'Where data lives. memory writes nothing to disk and forgets all when the process ends.',
  }),
  dataDir: setting({
    section: 'storage',
    kind: text({ placeholder: 'DIR', expected: 'the path of a folder', pattern: /^[^\0]+$/ }),
    default: './data',
    description:
      'Folder of the write-ahead log and the store, made when missing. One process at a time may use it. Unset: ./data, or ./data-<node-id> for a node with an id of its own, so that several can be started in one folder.',
  }),
  fsync: setting({
    section: 'storage',
    kind: oneOf('always', 'interval'),
    default: 'always',
    description:
      'always: a write is on disk before it is answered. interval: answered at once, on disk within storage.fsync-interval; a crash of the machine may lose that much.',
  }),
  fsyncIntervalMs: setting({
    section: 'storage',
    kind: duration({ minMs: 1, maxMs: 10 * SECOND }),
    default: 10,
    description: 'The most a crash may lose with fsync=interval.',
  }),
  overlayBytes: setting({
    section: 'storage',
    kind: size({ min: MIB, max: 4 * GIB }),
    default: 8 * MIB,
    description:
      'Writes gathered in memory before a background transaction takes them into LMDB. Writers wait when a second such batch fills before the first is through.',
  }),
  walSegmentBytes: setting({
    section: 'storage',
    kind: size({ min: MIB, max: GIB }),
    default: 64 * MIB,
    description: 'Size of one file of the write-ahead log, reserved on disk when the file is begun.',
  }),
  walTailSegments: setting({
    section: 'storage',
    kind: integer({ min: 0, max: 1024 }),
    default: 2,
    description:
      'Log files kept after their writes reached LMDB, so that a follower that was away catches up without a snapshot.',
  }),
  lmdbMapBytes: setting({
    section: 'storage',
    kind: size({ min: 64 * MIB, max: 64 * TIB }),
    default: 64 * GIB,
    description: 'The most the store may grow to. Address space only: disk is taken as data comes.',
  }),

  logLevel: setting({
    section: 'log',
    kind: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    default: 'info',
    description: 'Least level that is written.',
  }),
  logFormat: setting({
    section: 'log',
    kind: oneOf('auto', 'json', 'pretty'),
    default: 'auto',
    description: 'auto: pretty in a terminal, otherwise one JSON object a line.',
  }),

  maxKeyBytes: setting({
    section: 'limits',
    kind: integer({ min: 1, max: 1024 }),
    default: 1024,
    description:
      'Longest key, and longest name of a queue, topic, consumer or group, in bytes of UTF-8. The store takes no more.',
  }),
  maxValueBytes: setting({
    section: 'limits',
    kind: size({ min: KIB, max: VALUE_BYTES_MAX }),
    default: 4 * MIB,
    description: 'Largest value of a key.',
  }),
  maxMessageBytes: setting({
    section: 'limits',
    kind: size({ min: KIB, max: VALUE_BYTES_MAX }),
    default: 4 * MIB,
    description: 'Largest message of a queue or stream, headers included.',
  }),
  maxFrameBytes: setting({
    section: 'limits',
    kind: size({ min: 64 * KIB, max: 512 * MIB }),
    default: 16 * MIB,
    description: 'Largest request or response on the wire; a batch counts as one.',
  }),
  maxConnections: setting({
    section: 'limits',
    kind: integer({ min: 1, max: NO_PROCESS_NEEDS_MORE }),
    default: 20_000,
    description: 'Connections open at once. The system has its own limit on open files (ulimit -n).',
  }),
  maxStreamsPerConnection: setting({
    section: 'limits',
    kind: integer({ min: 1, max: NO_PROCESS_NEEDS_MORE }),
    default: 1_000,
    description: 'Calls and subscriptions open at once on one HTTP/2 connection; a pipeline counts as one.',
  }),
  maxInFlightBytesPerClient: setting({
    section: 'limits',
    kind: size({ min: 64 * KIB, max: 16 * GIB }),
    default: 64 * MIB,
    description: 'Requests and answers of one connection that may be held in memory at once.',
  }),
  maxInFlightBytes: setting({
    section: 'limits',
    kind: size({ min: 64 * KIB, max: TIB }),
    default: 256 * MIB,
    description: 'The same over all connections of the node.',
  }),
  sessionIdleTimeoutMs: setting({
    section: 'limits',
    kind: duration({ minMs: MINUTE, maxMs: 30 * DAY }),
    default: HOUR,
    description: 'A session unused this long is forgotten: a retry sent later than that may apply twice.',
  }),

  streamPartitions: setting({
    section: 'stream',
    kind: integer({ min: 1, max: 1024 }),
    default: 1,
    description: 'Partitions of a topic. Order holds within one; groups share work by partition.',
  }),
  streamRetentionAgeMs: setting({
    section: 'stream',
    kind: duration({ minMs: SECOND, maxMs: 3650 * DAY, zeroMeans: 'no limit' }),
    default: 7 * DAY,
    description: 'Events older than this are removed.',
  }),
  streamRetentionBytes: setting({
    section: 'stream',
    kind: size({ min: MIB, max: 64 * TIB, zeroMeans: 'no limit' }),
    default: 0,
    description: 'The oldest events of a partition past this size are removed.',
  }),
  streamRetentionCount: setting({
    section: 'stream',
    kind: integer({ min: 0, max: 999_999_999_999 }),
    default: 0,
    description: 'The oldest events of a partition past this number are removed. 0: no limit.',
  }),
};

type ValueOf<S> = S extends Setting<infer T, infer D> ? T | D : never;

/**
 * The settings of a node: frozen, and passed down from `main`. A field is its flag in camel case
 * (`--max-value-bytes` is `maxValueBytes`); durations are whole milliseconds in fields that end in `Ms`
 * (`--drain-timeout=10s` is `drainTimeoutMs: 10_000`), sizes are bytes.
 */
export type Config = { readonly [Field in keyof typeof SETTINGS]: ValueOf<(typeof SETTINGS)[Field]> };

export const NAMED_SETTINGS: readonly NamedSetting[] = Object.freeze(
  Object.entries(SETTINGS).map(([field, definition]) => nameSetting(field, definition as Setting<unknown>)),
);
