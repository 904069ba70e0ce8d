/** How the replicas of a group that live on different nodes reach each other; `cluster/links` implements it. */
import type { Message, SnapshotMessage } from '../raft/index.ts';

/** Where a replica lives. */
export interface ReplicaAddress {
  readonly nodeId: string;
  readonly address: string;
}

/** What a node with others sends through. A node that runs alone has none. */
export interface Peers {
  /** Takes a message for the node of `message.to`; what one turn brings for one node travels together at `flush`. May drop: Raft repeats. */
  send(group: number, message: Message): void;
  flush(): void;
  /** Streams a snapshot to the node of `message.to`. Resolves once the other side has taken it whole; rejects otherwise. */
  sendSnapshot(
    group: number,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Where a replica lives; undefined when its node is not known. */
  addressOf(replicaId: number): ReplicaAddress | undefined;
}
