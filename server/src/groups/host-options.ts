/** What a host is given. */
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { Store } from '../storage/store.ts';
import type { LogFiles } from '../wal/log-files.ts';
import type { NodeLog } from './node-log.ts';
import type { Peers } from './peers.ts';

/** What makes a node one of several. */
export interface ClusterOptions {
  /** 1 to 65535: see `cluster/replica-id.ts`. */
  readonly nodeNumber: number;
  readonly peers: Peers;
  /** The folder of the list of replicas and of arriving snapshots; undefined with storage in memory. */
  readonly files: LogFiles | undefined;
  /** Calls `tick` every `TICK_MS` and returns what ends that. Default: a timer. */
  readonly startTicks?: (tick: () => void) => () => void;
  /** Ticks without anything to do after which a group stops its clocks; 0 = never. Default `HIBERNATE_AFTER_TICKS`. */
  readonly hibernateAfterTicks?: number;
  /**
   * Whether the replica may be made here because another node says so, which destroys the one before it. Default: any
   * that is above all that were here.
   */
  readonly isGiven?: (group: number, replicaId: number) => boolean;
  /** Level at which entries and snapshots are written just now. Default: the newest. */
  readonly level?: () => number;
  /** Over all snapshots that this node sends. Default `SNAPSHOT_BYTES_PER_SECOND`. */
  readonly snapshotBytesPerSecond?: number;
}

export interface HostOptions {
  readonly log: NodeLog;
  readonly store: Store;
  readonly metrics: NodeMetrics;
  /** Unix milliseconds. */
  readonly clock: () => number;
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number;
  readonly random: () => number;
  /** A session unused this long ends. */
  readonly sessionIdleTimeout_ms: number;
  /** Name and address by which this node is known. */
  readonly node: { readonly nodeId: string; readonly address: string };
  /** A write or sync failed, or a state that cannot be was met: the process must end. */
  readonly onFatal: (error: Error) => void;
  /** A bug that cost no more than a call. */
  readonly reportBug: (error: unknown, where: string) => void;
  /** Undefined on a node that runs alone. */
  readonly cluster?: ClusterOptions;
}
