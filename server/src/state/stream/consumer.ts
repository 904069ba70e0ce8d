/** Consumers and groups: committed offsets, and which member reads which partition. */
import { shareOut } from './assignment.ts';

/** One open subscription. */
export interface Member {
  readonly id: string;
  /** The partitions it asked for, ascending; undefined = all. Groups share out all of them. */
  readonly partitions: readonly number[] | undefined;
}

/** A consumer as readers see it. */
export interface ConsumerView {
  readonly name: string;
  readonly group: boolean;
  /** Rises by one with every change of the members or of what they read. */
  readonly generation: number;
  readonly members: readonly Member[];
  /** By partition: offset of the next message to process; NO_OFFSET where nothing is committed. */
  readonly offsets: readonly number[];
  /** By partition: id of the member that reads it; undefined where nobody does. */
  readonly owners: readonly (string | undefined)[];
}

export const NO_OFFSET = -1;

export class Consumer implements ConsumerView {
  readonly name: string;
  group = false;
  generation = 0;
  /** In the order in which they joined. */
  members: Member[] = [];
  readonly offsets: number[];
  owners: (string | undefined)[];
  /** Changed since the last save. */
  dirty = false;

  constructor(name: string, partitions: number) {
    this.name = name;
    this.offsets = new Array<number>(partitions).fill(NO_OFFSET);
    this.owners = new Array<string | undefined>(partitions).fill(undefined);
  }

  hasMember(id: string): boolean {
    return this.members.some((member) => member.id === id);
  }

  /** Makes room for more partitions. A consumer that reads all partitions misses nothing of the new ones. */
  grow(partitions: number): void {
    const readsAll = this.offsets.every((offset) => offset !== NO_OFFSET);
    while (this.offsets.length < partitions) this.offsets.push(readsAll ? 0 : NO_OFFSET);
    while (this.owners.length < partitions) this.owners.push(undefined);
  }

  /** Hands the partitions to the members there are now: a new generation. */
  assign(): void {
    this.generation++;
    if (this.group) {
      this.owners = shareOut(
        this.owners,
        this.members.map((member) => member.id),
      );
      return;
    }
    const member = this.members[0];
    this.owners = this.owners.map((_, partition) =>
      member && (member.partitions?.includes(partition) ?? true) ? member.id : undefined,
    );
  }
}

/** Partitions that a member reads, ascending. */
export function partitionsOf(consumer: ConsumerView, memberId: string): number[] {
  const partitions: number[] = [];
  for (const [partition, owner] of consumer.owners.entries()) {
    if (owner === memberId) partitions.push(partition);
  }
  return partitions;
}
