/**
 * What one watch gets from one group. Either it is live: the hub gives it every matching event as it is applied, into
 * a bounded buffer. Or it is behind, at the start or because its reader was too slow for the buffer: it then reads the
 * group's history from its own revision until it has caught up. Both ways no event is lost and none comes twice.
 */
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../../state/failure.ts';
import { readEvents } from '../../state/kv/events.ts';
import type { KvMachine } from '../../state/kv/kv-machine.ts';
import { ErrorReason } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import { encodeWatchEvent } from './encode.ts';
import type { WatchHub } from './watch-hub.ts';

/** Keys that a watch is about: one key or all that begin with a prefix, as binary strings. */
export interface WatchTarget {
  readonly kind: 'key' | 'prefix';
  readonly name: string;
}

/** Encoded events that wait for a slow reader; past either bound it falls back to the history. */
const BUFFERED_BYTES = 1024 * 1024;
const BUFFERED_EVENTS = 10_000;

/** Events of one message. */
const MESSAGE_BYTES = 256 * 1024;
const MESSAGE_EVENTS = 1_000;

/** History that one step of catching up looks at. */
const STEP_BYTES = 1024 * 1024;
const STEP_ROWS = 256;

export interface WatchOptions {
  readonly target: WatchTarget;
  readonly keysOnly: boolean;
  /** Called when there is something to take or to catch up with. */
  readonly onReady: () => void;
}

interface BufferedEvent {
  readonly encoded: Uint8Array;
  readonly revision: number;
}

export class WatchFeed {
  readonly group: ServiceGroup;
  readonly target: WatchTarget;
  readonly keysOnly: boolean;
  readonly #hub: WatchHub;
  readonly #onReady: () => void;
  #live = false;
  /** Every matching event up to this revision was put into the buffer; while live, up to the hub's at least. */
  #seen = 0;
  #buffer: BufferedEvent[] = [];
  #bufferedBytes = 0;
  #failure: Failure | undefined;

  constructor(group: ServiceGroup, hub: WatchHub, options: WatchOptions) {
    this.group = group;
    this.target = options.target;
    this.keysOnly = options.keysOnly;
    this.#hub = hub;
    this.#onReady = options.onReady;
  }

  /** The hub is to give it events. */
  get live(): boolean {
    return this.#live;
  }

  /** There are events to take. */
  get hasEvents(): boolean {
    return this.#buffer.length > 0;
  }

  /** Revision up to which every matching event was taken. */
  get told(): number {
    const [oldest] = this.#buffer;
    if (oldest !== undefined) return oldest.revision - 1;
    return this.#live ? Math.max(this.#seen, this.#hub.revision) : this.#seen;
  }

  /**
   * Takes its place: nothing behind `after` is missed from now on. `after` undefined = the group's revision at a
   * linearizable read. Gives COMPACTED when the history does not reach back that far.
   */
  start(after: number | undefined): Promise<Failure | undefined> {
    return this.#read(Consistency.LINEARIZABLE, (kv) => {
      this.#hub.add(this, kv);
      this.#seen = after ?? kv.revision;
      this.#live = this.#seen >= kv.revision;
      return this.#compacted(kv);
    });
  }

  stop(): void {
    this.#live = false;
    this.#buffer = [];
    this.#hub.remove(this);
  }

  /** One bounded step towards being live; events that it found are then there to take. */
  catchUp(): Promise<Failure | undefined> {
    if (this.#failure !== undefined) return Promise.resolve(this.#failure);
    return this.#read(Consistency.STALE, (kv) => {
      this.#hub.attach(kv);
      const failure = this.#compacted(kv);
      if (failure === undefined) this.#readHistory(kv);
      return failure;
    });
  }

  /** A matching event as it is applied. */
  push(encoded: Uint8Array, revision: number): void {
    if (revision <= this.#seen) return;
    const full =
      this.#bufferedBytes + encoded.length > BUFFERED_BYTES || this.#buffer.length >= BUFFERED_EVENTS;
    // An event that is larger than the whole buffer still goes through it alone.
    if (full && this.#buffer.length > 0) this.fallBehind();
    else this.#add(encoded, revision);
    this.#onReady();
  }

  /** Goes on from the history, behind what was taken. */
  fallBehind(): void {
    this.#seen = this.told;
    this.#live = false;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    this.#onReady();
  }

  /** Ends the watch: what it gets next is the failure. */
  fail(failure: Failure): void {
    this.#failure ??= failure;
    this.#live = false;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    this.#onReady();
  }

  /** Removes the events of one message from the buffer, oldest first. */
  take(): Uint8Array[] {
    let count = 0;
    let bytes = 0;
    for (const { encoded } of this.#buffer) {
      if (count > 0 && (count >= MESSAGE_EVENTS || bytes + encoded.length > MESSAGE_BYTES)) break;
      bytes += encoded.length;
      count++;
    }
    const taken = this.#buffer.splice(0, count);
    this.#bufferedBytes -= bytes;
    const last = taken.at(-1);
    if (last !== undefined) this.#seen = Math.max(this.#seen, last.revision);
    return taken.map(({ encoded }) => encoded);
  }

  #readHistory(kv: KvMachine): void {
    let bytes = 0;
    for (let rows = 0; rows < STEP_ROWS && bytes < STEP_BYTES; rows++) {
      const batch = kv.eventsAt(this.#seen + 1);
      if (batch === undefined) {
        this.#live = true;
        return;
      }
      bytes += batch.bytes.length;
      for (const event of readEvents(batch)) {
        if (event.revision > this.#seen && this.#matches(event.key)) {
          this.#add(encodeWatchEvent(event, !this.keysOnly), event.revision);
        }
      }
      this.#seen = batch.firstRevision + batch.count - 1;
    }
  }

  #add(encoded: Uint8Array, revision: number): void {
    this.#buffer.push({ encoded, revision });
    this.#bufferedBytes += encoded.length;
  }

  #matches(key: string): boolean {
    const { kind, name } = this.target;
    return kind === 'key' ? key === name : key.startsWith(name);
  }

  #compacted(kv: KvMachine): Failure | undefined {
    if (this.#seen + 1 >= kv.oldestRevision) return undefined;
    return {
      reason: ErrorReason.COMPACTED,
      message: `changes from revision ${this.#seen + 1} on are no longer kept; the oldest kept is ${kv.oldestRevision}`,
      oldestAvailable: kv.oldestRevision,
      newestAvailable: kv.revision,
    };
  }

  #read(
    consistency: Consistency,
    query: (kv: KvMachine) => Failure | undefined,
  ): Promise<Failure | undefined> {
    return new Promise((resolve) => {
      this.group.read(consistency, (state) => resolve(query(state.kv)), resolve);
    });
  }
}
