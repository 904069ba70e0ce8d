/** What the links of a node are made of, and their bounds. */
import type { Logger } from '../../observe/logger.ts';
import type { Message, SnapshotMessage } from '../../raft/index.ts';
import type { Reply } from '../../services/method.ts';
import type { ReportBug } from '../../transport/failures.ts';
import type { TlsOptions } from '../../transport/port.ts';
import type { ReceivedCall } from './forwarded-call.ts';
import type { JoinAnswer, JoinRequest } from './join.ts';

/** Versions of the peer protocol that this program speaks. */
export const PROTOCOL_MIN = 1;
export const PROTOCOL_MAX = 1;

/** Bounds and times of links. All have defaults, in `LINK_DEFAULTS`. */
export interface LinkLimits {
  /** A handshake, the connection included, must be done by then. Default 5 s. */
  readonly handshakeTimeout_ms: number;
  /** Wait before the first new try after a link is lost or refused; doubles with every further one. Default 50 ms. */
  readonly reconnectMin_ms: number;
  /** The longest such wait. Each is cut by up to a half at random. Default 2 s. */
  readonly reconnectMax_ms: number;
  /** How often a connection to another node is pinged. Default 2 s. */
  readonly keepaliveInterval_ms: number;
  /** A connection that leaves a ping unanswered this long is dead. Default 3 s. */
  readonly keepaliveTimeout_ms: number;
  /** HTTP/2 window of a stream between two nodes, both ways: bytes that may be sent ahead of being read. Default 4 MiB. */
  readonly receiveWindowBytes: number;
  /** Largest message that the other nodes' ports take: their `maxFrameBytes`. Default 16 MiB. */
  readonly maxFrameBytes: number;
  /** Bytes after which a frame is sent and the rest of the turn goes into the next. Default 1 MiB. */
  readonly frameBytes: number;
  /** Bytes handed to a connection and not taken by it, after which more waits in the queue. Default 1 MiB. */
  readonly maxUnsentBytes: number;
  /** Bytes of Raft messages that wait for a node; further ones are dropped. Default 32 MiB. */
  readonly maxWaitingBytes: number;
  /** Bytes of calls passed on to a node and not answered; past it calls get OVERLOADED. Default 64 MiB. */
  readonly maxCallBytes: number;
  /** Calls passed on to a node and not answered. Default 65,536. */
  readonly maxCalls: number;
  /** Bytes of answers that a node may leave unread; past it its calls get OVERLOADED. Default 64 MiB. */
  readonly maxAnswerBytes: number;
  /** Server-streaming calls passed on to a node, and taken from one. Default 900, below what a port takes of streams. */
  readonly maxForwardedStreams: number;
  /** Snapshots under way at once, counted apart for those sent and those received. Default 2. */
  readonly maxSnapshots: number;
  /** Streams of this node's port that are yet to shake hands. Default 256. */
  readonly maxHandshakes: number;
}

const MIB = 1024 * 1024;

export const LINK_DEFAULTS: LinkLimits = {
  handshakeTimeout_ms: 5_000,
  reconnectMin_ms: 50,
  reconnectMax_ms: 2_000,
  keepaliveInterval_ms: 2_000,
  keepaliveTimeout_ms: 3_000,
  receiveWindowBytes: 4 * MIB,
  maxFrameBytes: 16 * MIB,
  frameBytes: MIB,
  maxUnsentBytes: MIB,
  maxWaitingBytes: 32 * MIB,
  maxCallBytes: 64 * MIB,
  maxCalls: 65_536,
  maxAnswerBytes: 64 * MIB,
  maxForwardedStreams: 900,
  maxSnapshots: 2,
  maxHandshakes: 256,
};

/** The node itself. */
export interface LocalNode {
  /** 1 to 65,535. */
  readonly number: number;
  readonly nodeId: string;
  readonly clusterId: string;
  /** Version of the program. */
  readonly version: string;
  /** Highest group of the cluster, which no message may go past. Default: any. */
  readonly lastGroup?: number;
  /** Level at which the cluster writes just now, which another member has to apply. Default: the oldest. */
  readonly level?: () => number;
}

/** Where another node is. */
export interface NodeLocation {
  readonly nodeId: string;
  /** `host:port` of its one port. */
  readonly address: string;
}

/** What comes in from the other nodes. None of these may throw; one that does is reported as a bug. */
export interface LinkEvents {
  /** Messages of one frame for one group, in order; never snapshots. */
  onMessages(group: number, messages: readonly Message[]): void;
  /**
   * A snapshot: resolves once it is taken whole, rejects to refuse it. `chunks` fail when the sender gives up or is lost;
   * it is not read ahead of the reader. Not reading it to its end drops the rest.
   */
  onSnapshot(group: number, message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** A unary call to answer here, never to be passed on again. */
  onCall(call: ReceivedCall, reply: Reply): void;
  /** A server-streaming call to answer here, as `ServerStreamingMethod.handle` does. */
  onStream(call: ReceivedCall): AsyncIterable<Uint8Array>;
  /** The newest report of another node. Throws RangeError for bytes that are none, which ends the link. */
  onReport(from: number, report: Uint8Array): void;
  /** A node asks for admission. */
  onJoin(request: JoinRequest): Promise<JoinAnswer>;
  /** A member says that this node has left the cluster for good. */
  onLeft?(): void;
  /** The link to a node came up, or was lost. */
  onLinkChange?(node: number, up: boolean): void;
  /**
   * A node of another cluster, which knows the same secret, takes this node for a member of its own. It is refused; told
   * at every try.
   */
  onForeignMember?(member: ForeignMember): void;
}

/** A member of another cluster. */
export interface ForeignMember {
  readonly nodeId: string;
  readonly clusterId: string;
  /** Address and port that it dials from. */
  readonly peer: string;
}

export interface LinkOptions {
  readonly self: LocalNode;
  /** Shared by all nodes of the cluster; undefined = only cluster and node ids are checked. */
  readonly secret: string | undefined;
  /** Certificate and authorities of this node's port, shown to the others as well; undefined = no TLS. */
  readonly tls: TlsOptions | undefined;
  /** Where a member is; undefined when there is no member of that number. */
  readonly locate: (node: number) => NodeLocation | undefined;
  /** Whether a node was a member and has left for good; such a node is told so. Default: nobody has. */
  readonly hasLeft?: (node: number, nodeId: string) => boolean;
  readonly events: LinkEvents;
  readonly logger: Logger;
  readonly reportBug: ReportBug;
  readonly limits?: Partial<LinkLimits>;
  /** Monotonic milliseconds. Default: `performance.now`. */
  readonly monotonic?: () => number;
  /** From 0 to 1, for jitter. Default: `Math.random`. */
  readonly random?: () => number;
}
