/** The properties of figure 3 of the paper, and linearizable reads, checked as a run goes along. */
import { type Entry, NO_DATA } from '../entry.ts';
import { RaftInvariantError } from '../errors.ts';
import type { SnapshotMeta } from '../messages.ts';
import type { ReadState } from '../ready.ts';
import type { Machine, Replica } from './replica.ts';

/** A run broke a safety property. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** A run made no progress although nothing was in its way. */
export class LivenessViolation extends Error {
  override readonly name = 'LivenessViolation';
}

/**
 * Name of the invariant that a failed run broke. Undefined when it broke none: a group that is merely stuck has kept its
 * promises.
 */
export function invariantOf(error: unknown): string | undefined {
  if (error instanceof Violation) return error.message.slice(0, error.message.indexOf(':'));
  return error instanceof RaftInvariantError ? `the core's own checks` : undefined;
}

interface Committed {
  readonly term: number;
  /** Term of the node that was the first to know. */
  readonly knownInTerm: number;
}

interface Known {
  readonly previousTerm: number;
  readonly data: Uint8Array;
}

export class Checker {
  readonly #leaders = new Map<number, number>();
  /** Every entry that ever was durable or sent anywhere, by `term:index`. */
  readonly #known = new Map<string, Known>();
  /** By index; position 0 is unused. */
  readonly #committed: Committed[] = [{ term: 0, knownInTerm: 0 }];
  readonly #machines: Machine[] = [];
  readonly #checkedCommit = new Map<number, number>();
  readonly #reads = new Map<number, number>();
  readonly #replicas: readonly Replica[];
  answeredReads = 0;
  electionsWon = 0;
  /** Elections won by another than the one before. */
  leaderChanges = 0;
  #lastLeader: number | undefined;

  constructor(replicas: readonly Replica[]) {
    this.#replicas = replicas;
  }

  /** Highest index known to be committed anywhere. */
  get committed(): number {
    return this.#committed.length - 1;
  }

  /**
   * Log Matching: equal index and term mean equal data, and equal predecessors, hence by induction equal logs. Concerns
   * entries that are durable or were sent; what a node alone had in memory may vanish.
   */
  onKnown(entries: readonly Entry[], previousTerm: number): void {
    let previous = previousTerm;
    for (const entry of entries) {
      const key = `${entry.term}:${entry.index}`;
      const known = this.#known.get(key);
      if (known === undefined) this.#known.set(key, { previousTerm: previous, data: entry.data });
      else if (known.previousTerm !== previous || !sameBytes(known.data, entry.data)) {
        throw new Violation(`log matching: entry ${entry.index} of term ${entry.term} is not one entry`);
      }
      previous = entry.term;
    }
  }

  /** To be called after anything that happened to a replica. */
  onStep(replica: Replica): void {
    if (replica.core.isLeader) this.#checkLeader(replica);
    this.#checkCommit(replica);
  }

  #checkLeader(replica: Replica): void {
    const { id, term } = replica.core;
    // A sole voter leads before its term is durable, silently. Should it crash, it never led.
    if (replica.disk.hardState.term < term) return;
    const known = this.#leaders.get(term);
    if (known === id) return;
    if (known !== undefined) throw new Violation(`election safety: ${known} and ${id} lead term ${term}`);
    this.#leaders.set(term, id);
    this.electionsWon++;
    if (this.#lastLeader !== undefined && this.#lastLeader !== id) this.leaderChanges++;
    this.#lastLeader = id;
    for (let index = replica.core.appliedIndex + 1; index < this.#committed.length; index++) {
      const committed = this.#committed[index]!;
      if (committed.knownInTerm < term && replica.core.termAt(index) !== committed.term) {
        throw new Violation(`leader completeness: leader ${id} of term ${term} lacks entry ${index}`);
      }
    }
  }

  #checkCommit(replica: Replica): void {
    const { core } = replica;
    const from = Math.max(this.#checkedCommit.get(replica.id) ?? 0, core.appliedIndex) + 1;
    for (let index = from; index <= core.commitIndex; index++) {
      const term = core.termAt(index);
      // A snapshot stands for what is before it.
      if (term === undefined) continue;
      const known = this.#committed[index];
      if (known === undefined) {
        this.#checkDurable(replica, index, term);
        this.#committed[index] = { term, knownInTerm: core.term };
      } else if (known.term !== term) {
        throw new Violation(
          `commit: node ${replica.id} commits entry ${index} of terms ${known.term}, ${term}`,
        );
      }
    }
    this.#checkedCommit.set(replica.id, core.commitIndex);
  }

  /** What a leader commits is on the disks of a majority, or covered by snapshots there. */
  #checkDurable(replica: Replica, index: number, term: number): void {
    if (!replica.core.isLeader) return;
    const { voters, votersOutgoing } = replica.core.configuration;
    for (const majority of [voters, votersOutgoing]) {
      let holders = 0;
      for (const id of majority) {
        const { disk } = this.#replicas[id - 1]!;
        if (disk.firstIndex() > index || disk.term(index) === term) holders++;
      }
      if (majority.length > 0 && holders * 2 <= majority.length) {
        throw new Violation(`durability: ${index} commits on ${holders} of ${majority.length} disks`);
      }
    }
  }

  onCrash(replica: Replica): void {
    this.#checkedCommit.delete(replica.id);
  }

  /** State Machine Safety. */
  onApply(replica: Replica, entry: Entry, machine: Machine): void {
    const known = this.#machines[entry.index];
    if (known === undefined) this.#machines[entry.index] = machine;
    else if (known.digest !== machine.digest) {
      throw new Violation(`state machine safety: node ${replica.id} differs after entry ${entry.index}`);
    }
    if (this.#committed[entry.index]?.term !== entry.term) {
      throw new Violation(`state machine safety: node ${replica.id} applies ${entry.index}, not committed`);
    }
  }

  machineAt(snapshot: SnapshotMeta): Machine {
    const machine = this.#machines[snapshot.index];
    if (machine === undefined) throw new Violation(`snapshots: of ${snapshot.index}, which nobody applied`);
    return machine;
  }

  /** A read starts: it must see everything committed anywhere by now. */
  startRead(context: number): void {
    this.#reads.set(context, this.committed);
  }

  onRead(read: ReadState): void {
    const least = this.#reads.get(read.context);
    if (least === undefined) throw new Violation(`linearizable reads: ${read.context} was answered twice`);
    this.#reads.delete(read.context);
    this.answeredReads++;
    if (read.index < least) {
      throw new Violation(`linearizable reads: at ${read.index}, while ${least} had committed before`);
    }
  }
}

function sameBytes(a: Uint8Array = NO_DATA, b: Uint8Array = NO_DATA): boolean {
  return a.length === b.length && a.every((byte, position) => byte === b[position]);
}
