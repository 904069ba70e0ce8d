/**
 * An owner of one core, in memory, whose every delay is in the test's hands: writes become durable when the test says
 * so, a crash loses those that are not, applying and flushing the state trail as far as the test lets them.
 */
import { type Configuration, decodeConfiguration, makeConfiguration } from '../configuration.ts';
import { RaftCore } from '../core.ts';
import { type Entry, EntryKind } from '../entry.ts';
import type { Message, SnapshotMeta } from '../messages.ts';
import type { LogReader, RaftOptions } from '../options.ts';
import type { ReadState, Ready } from '../ready.ts';
import type { RaftState } from '../state.ts';
import { StoredLog } from './stored-log.ts';

/** Breaks one rule of a core, to show that a test would notice. */
export type Mutation = (state: RaftState) => void;

/** A core whose inside a test may look at. */
export class TestCore extends RaftCore {
  constructor(options: RaftOptions, mutate?: Mutation) {
    super(options);
    mutate?.(this.state);
  }

  termAt(index: number): number | undefined {
    return this.state.log.term(index);
  }
}

/** The owner's state: a fold over everything applied, so equal histories and only those give equal states. */
export interface Machine {
  readonly index: number;
  readonly term: number;
  readonly digest: number;
  readonly configuration: Configuration;
}

/** A committed entry, and how many writes were handed out up to the Ready that brought it. */
interface Unapplied {
  readonly entry: Entry;
  readonly afterWrites: number;
}

/** What a test observes. Everything is optional. */
export interface Observer {
  onMessage?(message: Message): void;
  /** Entries have become durable. */
  onDurable?(entries: readonly Entry[], previousTerm: number): void;
  onApply?(replica: Replica, entry: Entry, machine: Machine): void;
  onRead?(replica: Replica, read: ReadState): void;
  /** The state a snapshot stands for: tests move no bytes. */
  machineAt?(snapshot: SnapshotMeta): Machine;
}

export type ReplicaOptions = Partial<Omit<RaftOptions, 'id' | 'log' | 'hardState' | 'appliedIndex'>>;

export class Replica {
  readonly id: number;
  core: TestCore;
  up = true;
  /** What survives a crash. */
  disk = new StoredLog();
  /** Everything handed to the disk, durable or not. */
  written = new StoredLog();
  /** Whether a snapshot can be made at this moment. */
  hasSnapshots = true;
  /** Handed out, not durable; oldest first. */
  writes: Ready[] = [];
  toApply: Unapplied[] = [];
  /** Writes handed out and completed since the start; applied state must not outrun the latter on disk. */
  #writesHandedOut = 0;
  #writesCompleted = 0;
  #machineAfterWrites = 0;
  machine: Machine;
  /** The state a restart finds. */
  flushed: Machine;
  readonly #options: ReplicaOptions;
  readonly #observer: Observer;
  readonly #mutation: Mutation | undefined;
  /** The core reads what was written, not only what is durable: owners may do either. */
  readonly #readsAhead: boolean;

  constructor(
    id: number,
    options: ReplicaOptions,
    observer: Observer,
    { mutation, readsAhead = false }: { mutation?: Mutation | undefined; readsAhead?: boolean } = {},
  ) {
    this.id = id;
    this.#options = options;
    this.#observer = observer;
    this.#mutation = mutation;
    this.#readsAhead = readsAhead;
    const configuration = options.configuration ?? makeConfiguration();
    this.machine = { index: 0, term: 0, digest: 0, configuration };
    this.flushed = this.machine;
    this.core = this.#start();
  }

  #start(): TestCore {
    const options: RaftOptions = {
      random: () => 0,
      ...this.#options,
      id: this.id,
      log: this.#reader(),
      hardState: this.disk.hardState,
      configuration: this.flushed.configuration,
      appliedIndex: this.flushed.index,
    };
    return new TestCore(options, this.#mutation);
  }

  #reader(): LogReader {
    const log = (): StoredLog => (this.#readsAhead ? this.written : this.disk);
    return {
      firstIndex: () => log().firstIndex(),
      lastIndex: () => log().lastIndex(),
      term: (index) => log().term(index),
      entries: (from, toExclusive, maxBytes) => log().entries(from, toExclusive, maxBytes),
      snapshotMeta: () => this.#snapshot(),
    };
  }

  #snapshot(): SnapshotMeta | undefined {
    if (!this.hasSnapshots) return undefined;
    const { index, term, configuration } = this.machine;
    return { index, term, configuration };
  }

  /** Takes one Ready and does what needs no waiting. */
  takeReady(): void {
    if (!this.core.hasReady()) return;
    const ready = this.core.ready();
    for (const message of ready.messages) this.#observer.onMessage?.(message);
    this.written.store(ready);
    const nothingToWrite =
      ready.entries.length === 0 && ready.hardState === undefined && ready.snapshot === undefined;
    if (nothingToWrite && this.writes.length === 0) this.#send(ready.messagesAfterPersist);
    else {
      this.writes.push(ready);
      this.#writesHandedOut++;
    }
    for (const entry of ready.committed) this.toApply.push({ entry, afterWrites: this.#writesHandedOut });
    for (const read of ready.readStates) this.#observer.onRead?.(this, read);
  }

  /** The oldest `count` writes become durable and are reported together. */
  completeWrites(count = this.writes.length): void {
    const done = this.writes.splice(0, count);
    this.#writesCompleted += done.length;
    let last: Entry | undefined;
    for (const ready of done) {
      this.#storeDurably(ready);
      if (ready.snapshot !== undefined) this.#install(ready.snapshot);
      last = ready.entries.at(-1) ?? last;
    }
    if (last !== undefined) this.core.persisted(last.index, last.term);
    for (const ready of done) this.#send(ready.messagesAfterPersist);
  }

  #storeDurably(ready: Pick<Ready, 'entries' | 'hardState' | 'snapshot'>): void {
    this.disk.store(ready);
    const first = ready.entries[0];
    if (first !== undefined) this.#observer.onDurable?.(ready.entries, this.disk.term(first.index - 1) ?? 0);
  }

  #install(snapshot: SnapshotMeta): void {
    const machine = this.#observer.machineAt?.(snapshot) ?? { ...snapshot, digest: 0 };
    this.machine = machine;
    this.flushed = machine;
    this.toApply = [];
    this.core.snapshotInstalled(snapshot.index);
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) this.#observer.onMessage?.(message);
  }

  /** Applies the oldest `count` committed entries. */
  apply(count = this.toApply.length): void {
    for (const { entry, afterWrites } of this.toApply.splice(0, count)) {
      this.#machineAfterWrites = afterWrites;
      const { machine } = this;
      if (entry.index !== machine.index + 1) {
        throw new Error(`node ${this.id} applies ${entry.index} after ${machine.index}`);
      }
      this.machine = {
        index: entry.index,
        term: entry.term,
        digest: digest(machine.digest, entry),
        configuration:
          entry.kind === EntryKind.CONFIGURATION ? decodeConfiguration(entry.data) : machine.configuration,
      };
      this.#observer.onApply?.(this, entry, this.machine);
    }
    this.core.applied(this.machine.index);
  }

  /** The applied state becomes durable, unless it is ahead of the writes it came with. */
  flush(): void {
    if (this.#machineAfterWrites > this.#writesCompleted) return;
    this.flushed = this.machine;
  }

  /** Cuts the log, at most up to what is flushed. */
  compact(index = this.flushed.index): void {
    const upTo = Math.min(index, this.flushed.index);
    // Nothing to cut, or a snapshot on its way to the disk replaces it all.
    if (upTo < this.disk.firstIndex() || upTo < this.written.firstIndex()) return;
    this.disk.compact(upTo);
    this.written.compact(upTo);
  }

  /**
   * Stops; of the writes under way only the oldest `durable` reached the disk, and of the next one its term and vote and
   * the first `tornAfter - 1` entries, none of it with 0. Returns whether a write was torn so.
   */
  crash(durable = 0, tornAfter = 0): boolean {
    const torn = this.writes[durable];
    const isTorn = tornAfter > 0 && this.#endsWithinWrites(durable) && torn?.hardState !== undefined;
    for (const ready of this.writes.splice(0, durable)) {
      // Installing a snapshot is all or nothing, and ends with the owner's report.
      if (ready.snapshot !== undefined) break;
      this.#storeDurably(ready);
    }
    if (isTorn) this.#storeDurably(firstPart(torn, tornAfter - 1));
    this.writes = [];
    this.toApply = [];
    this.#writesHandedOut = 0;
    this.#writesCompleted = 0;
    this.#machineAfterWrites = 0;
    this.up = false;
    return isTorn;
  }

  /** None of the writes up to and with that one installs a snapshot. */
  #endsWithinWrites(position: number): boolean {
    return this.writes.slice(0, position + 1).every(({ snapshot }) => snapshot === undefined);
  }

  restart(): void {
    this.machine = this.flushed;
    this.written = this.disk.clone();
    this.core = this.#start();
    this.up = true;
  }
}

/**
 * What an owner that writes record by record has of a Ready when only its beginning reached the disk: it never knows of
 * a commit before it has what is committed, save for what is before a change of members (README, "What holds").
 */
function firstPart(ready: Ready, count: number): Pick<Ready, 'entries' | 'hardState' | 'snapshot'> {
  const hardState = ready.hardState!;
  const entries = ready.entries.slice(0, count);
  let commit = Math.min(hardState.commit, (ready.entries[0]?.index ?? Number.POSITIVE_INFINITY) - 1);
  for (const { kind, index } of entries) {
    if (kind === EntryKind.CONFIGURATION && index - 1 <= hardState.commit)
      commit = Math.max(commit, index - 1);
  }
  return { entries, hardState: { ...hardState, commit }, snapshot: undefined };
}

function digest(previous: number, entry: Entry): number {
  let hash = Math.imul(previous ^ entry.term, 0x01000193) ^ entry.kind;
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
