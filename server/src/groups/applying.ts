/** Applies the committed entries of one group, and answers the writes of this node as theirs are applied. */
import { type Entry, EntryKind } from '../raft/index.ts';
import type { Failure } from '../state/failure.ts';
import type { GroupState } from '../state/group-state.ts';
import { decodeLogEntry } from '../state/log-entry.ts';
import type { Callers } from './callers.ts';
import { type Proposed, ProposedWrites } from './proposed-writes.ts';
import { inDoubt } from './refusals.ts';
import { DOUBT_TICKS } from './timing.ts';

export interface ApplyingParts {
  readonly state: GroupState;
  readonly callers: Callers;
  /** What the caller of a write is told that is not done for certain. */
  readonly notLeader: () => Failure;
  /** What the caller of a write is told that was logged while this node led. */
  readonly deposed: () => Failure;
  /** Told of every applied entry, with its number of commands. */
  readonly onApplied: (commands: number) => void;
}

/** What one step has done. */
export interface Applied {
  /** The last entry that was applied. */
  readonly index: number;
  /** One of the entries changed the members. */
  readonly newMembers: boolean;
}

export class Applying {
  readonly #parts: ApplyingParts;
  readonly #proposed = new ProposedWrites();
  /** Entries to apply, oldest first, from `#committedAt` on. */
  #committed: Entry[] = [];
  #committedAt = 0;
  #newMembers = false;
  /** Ticks until the writes of a leadership that ended are given up, when there are any. */
  #doubtTicks = 0;
  #commandsTotal = 0;

  constructor(parts: ApplyingParts) {
    this.#parts = parts;
  }

  /** Whether committed entries wait to be applied. */
  get pending(): boolean {
    return this.#committedAt < this.#committed.length;
  }

  /** Whether a write of this node is in the log and not applied. */
  get awaitsOwn(): boolean {
    return this.#proposed.length > 0;
  }

  /** Whether writes are to be given up after a number of ticks. */
  get countsDown(): boolean {
    return this.#doubtTicks > 0;
  }

  /** Commands that were applied. */
  get commandsTotal(): number {
    return this.#commandsTotal;
  }

  /** Takes committed entries, which follow those it has. The core bounds what is handed out and not yet applied. */
  take(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    if (this.pending) for (const entry of entries) this.#committed.push(entry);
    else {
      this.#committed = [...entries];
      this.#committedAt = 0;
    }
  }

  /** The state is replaced as a whole: what waits is part of what replaces it. */
  drop(): void {
    this.#committed = [];
    this.#committedAt = 0;
  }

  /** Applies whole entries until at least that many commands are done or none are left. Something has to be pending. */
  some(commandsMin: number): Applied {
    let index = 0;
    for (let done = 0; done < commandsMin && this.pending; ) {
      const entry = this.#committed[this.#committedAt++]!;
      done += this.#apply(entry);
      index = entry.index;
    }
    if (!this.pending) this.drop();
    const newMembers = this.#newMembers;
    this.#newMembers = false;
    return { index, newMembers };
  }

  /** Applies one entry and returns its number of commands, counting an entry without any as one. */
  #apply({ index, term, kind, data }: Entry): number {
    const { state } = this.#parts;
    const own = this.#proposed.take(index, term, this.#failLost);
    if (kind === EntryKind.CONFIGURATION) {
      state.reconfigure(index, term, data);
      this.#newMembers = true;
      return 1;
    }
    if (kind !== EntryKind.NORMAL) {
      state.skip(index, term);
      return 1;
    }
    const commands = own === undefined ? this.#applyForeign(index, term, data) : this.#applyOwn(own);
    this.#commandsTotal += commands;
    this.#parts.onApplied(commands);
    return commands;
  }

  #applyOwn({ index, term, stamp_ms, proposals }: Proposed): number {
    const { state, callers } = this.#parts;
    const outcomes = state.apply(index, term, stamp_ms, proposals);
    // Only now: whoever is answered may read at once, and has to find the entry applied as a whole.
    for (let i = 0; i < proposals.length; i++) callers.answer(proposals[i]!.reply, outcomes[i]!);
    return proposals.length;
  }

  #applyForeign(index: number, term: number, data: Uint8Array): number {
    const { stamp_ms, commands } = decodeLogEntry(data);
    this.#parts.state.apply(index, term, stamp_ms, commands);
    return commands.length;
  }

  // --- writes of this node ---

  /** Notes an entry that this node proposed. */
  proposed(proposed: Proposed): void {
    this.#proposed.push(proposed);
  }

  /** Leads no longer: whoever leads next may find and commit what was proposed, and has a time to do so. */
  deposed(): void {
    if (this.awaitsOwn && this.#doubtTicks === 0) this.#doubtTicks = DOUBT_TICKS;
  }

  /** A unit of the clock has passed. */
  tick(isLeader: boolean): void {
    if (this.#doubtTicks > 0 && --this.#doubtTicks === 0 && !isLeader) {
      this.failInDoubt(this.#parts.deposed());
    }
  }

  /** These are in the log, here at least: whoever leads next may find and commit them, or after the next start. */
  failInDoubt(failure: Failure): void {
    const told = inDoubt(failure);
    for (const { proposals } of this.#proposed.takeAll()) {
      for (const { reply } of proposals) this.#parts.callers.fail(reply, told);
    }
  }

  /** Another entry has the place of these for good. */
  readonly #failLost = ({ proposals }: Proposed): void => {
    for (const { reply } of proposals) this.#parts.callers.fail(reply, this.#parts.notLeader());
  };
}
