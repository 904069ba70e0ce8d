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
  /** Lets every other node hear of this one, for the sake of groups that say nothing. Where much is said it is not needed. */
  pulse(): void;
  /** How long nothing was heard of a node, in milliseconds; infinite when it never was. */
  silence_ms(node: number): number;
  /** Whether there is a link to the node: a process that ends takes its links with it. */
  isLinked(node: number): boolean;
  /** Where a replica lives; undefined when its node is not known. */
  addressOf(replicaId: number): ReplicaAddress | undefined;
}
