import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WalFailedError, WalFullError } from './errors.ts';
import type { HardState, LogEntry } from './group-log.ts';
import { type DiskOperation, SimulatedDisk } from './simulated-disk.ts';
import { plain } from './test-support.ts';
import { Wal, type WalOptions } from './wal.ts';

/** One group as the model knows it: entries from index 1 on, of which those up to `base` are a snapshot's. */
interface ModelGroup {
  hardState: HardState;
  base: number;
  baseTerm: number;
  entries: readonly LogEntry[];
  released: number;
}

type Model = ReadonlyMap<number, ModelGroup>;

type Action =
  | { kind: 'append'; group: number; back: number; count: number; bytes: number }
  | { kind: 'hardState'; group: number }
  | { kind: 'reset'; group: number; ahead: number }
  | { kind: 'remove'; group: number }
  | { kind: 'flush'; turns: number }
  | { kind: 'release'; group: number; keep: number }
  | { kind: 'fault'; operation: DiskOperation; after: number }
  | { kind: 'crash' }
  | { kind: 'kill' }
  | { kind: 'close' };

const group = fc.nat(2);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      group,
      back: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(4)),
      count: fc.integer({ min: 1, max: 5 }),
      bytes: fc.oneof(fc.nat(60), fc.nat(3000)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('hardState' as const), group }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const), group, ahead: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), group }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('flush' as const), turns: fc.nat(12) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), group, keep: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      operation: fc.constantFrom<DiskOperation>('write', 'fdatasync', 'rename', 'unlink', 'syncDirectory'),
      after: fc.nat(6),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Action>({ kind: 'crash' }) },
  { weight: 1, arbitrary: fc.constant<Action>({ kind: 'kill' }) },
  { weight: 1, arbitrary: fc.constant<Action>({ kind: 'close' }) },
);

/** A log next to a model of every state it went through since all was known to be durable. */
class Run {
  readonly disk: SimulatedDisk;
  readonly #options: WalOptions;
  wal!: Wal;
  /** States in order; the log must come back in one of them from `#durable` on. */
  #states: Model[] = [new Map()];
  #durable = 0;
  #next = 1;

  constructor(seed: number, options: WalOptions) {
    this.disk = new SimulatedDisk(seed);
    this.#options = options;
  }

  async open(): Promise<void> {
    for (;;) {
      try {
        this.wal = await Wal.open('simulated', { ...this.#options, files: this.disk.mount() });
        break;
      } catch (error) {
        if (!(error instanceof WalFailedError) && (error as { code?: string }).code !== 'EIO') throw error;
        this.disk.crash();
        this.disk.clearFaults();
      }
    }
    const candidates = this.#states.slice(this.#durable);
    const found = candidates.findLast((state) => isState(this.wal, state));
    if (found === undefined) {
      const seen = [...this.wal.groups()].map((group) => ({ group, ...this.wal.groupState(group) }));
      expect.fail(
        `came back as ${JSON.stringify(seen)}, none of the ${candidates.length} states it may have been in: ${candidates.map(describe).join(' | ')}`,
      );
    }
    this.#states = [found];
    this.#durable = 0;
  }

  async do(action: Action): Promise<void> {
    try {
      await this.#do(action);
    } catch (error) {
      if (error instanceof WalFullError) return;
      if (!(error instanceof WalFailedError)) throw error;
      this.disk.crash();
      this.disk.clearFaults();
      await this.open();
    }
  }

  async #do(action: Action): Promise<void> {
    const { wal, disk } = this;
    switch (action.kind) {
      case 'append':
        return this.#append(action.group, action.back, action.count, action.bytes);
      case 'hardState': {
        const hardState = { term: this.#next++, vote: this.#next, commit: this.#next };
        wal.saveHardState(action.group, hardState);
        return this.#change(action.group, { hardState });
      }
      case 'reset': {
        const base = lastIndex(this.#group(action.group)) + action.ahead;
        const baseTerm = this.#next++;
        wal.resetGroup(action.group, base, baseTerm);
        return this.#change(action.group, { base, baseTerm, entries: [], released: base });
      }
      case 'remove': {
        wal.removeGroup(action.group);
        const state = new Map(this.#states.at(-1));
        state.delete(action.group);
        this.#states.push(state);
        return;
      }
      case 'flush':
        this.#flush();
        for (let i = 0; i < action.turns; i++) await new Promise((resolve) => setImmediate(resolve));
        return;
      case 'release': {
        if (this.#options.fsyncIntervalMs !== undefined) return; // nothing is known to be durable
        await new Promise<void>((resolve, reject) => {
          this.#flush((error) => (error ? reject(error) : resolve()));
        });
        const released = Math.max(
          this.#group(action.group).released,
          lastIndex(this.#group(action.group)) - action.keep,
        );
        wal.release(action.group, released);
        this.#states = [this.#states.at(-1)!];
        this.#durable = 0;
        if (this.#states[0]!.has(action.group)) {
          this.#change(action.group, { released });
          this.#states.shift();
        }
        return;
      }
      case 'fault':
        disk.fail(action.operation, action.after);
        return;
      case 'close':
        await wal.close();
        disk.crash();
        return this.open();
      default:
        if (action.kind === 'crash') disk.crash();
        else disk.kill();
        disk.clearFaults();
        return this.open();
    }
  }

  #append(group: number, back: number, count: number, bytes: number): void {
    const model = this.#group(group);
    const term = this.#next++;
    const first = Math.max(lastIndex(model) + 1 - back, model.released + 1, model.base + 1);
    const entries: LogEntry[] = [];
    for (let index = first; index < first + count; index++) {
      const data = new Uint8Array(bytes).fill(this.#next++);
      entries.push({ index, term, kind: index % 256, data });
    }
    this.wal.append(group, entries);
    // A crash may fall between two segments, and so between any two entries.
    for (const entry of entries) {
      const kept = this.#group(group).entries.filter((other) => other.index < entry.index);
      this.#change(group, { entries: [...kept, entry] });
    }
  }

  #flush(callback?: (error?: Error) => void): void {
    const states = this.#states;
    const upTo = states.length - 1;
    this.wal.flush((error) => {
      const relaxed = this.#options.fsyncIntervalMs !== undefined;
      if (error === undefined && !relaxed && states === this.#states)
        this.#durable = Math.max(this.#durable, upTo);
      callback?.(error);
    });
  }

  #group(group: number): ModelGroup {
    return this.#states.at(-1)!.get(group) ?? BLANK;
  }

  #change(group: number, change: Partial<ModelGroup>): void {
    const state = new Map(this.#states.at(-1));
    state.set(group, { ...this.#group(group), ...change });
    this.#states.push(state);
  }
}

const BLANK: ModelGroup = {
  hardState: { term: 0, vote: 0, commit: 0 },
  base: 0,
  baseTerm: 0,
  entries: [],
  released: 0,
};

function describe(state: Model): string {
  const groups = [...state].map(([group, { base, baseTerm, entries, released, hardState }]) => {
    const terms = entries.map((entry) => `${entry.index}:${entry.term}`).join(' ');
    return `group ${group} base ${base}:${baseTerm} entries ${terms} released ${released} term ${hardState.term}`;
  });
  return groups.join(', ');
}

function lastIndex(group: ModelGroup): number {
  return group.entries.at(-1)?.index ?? group.base;
}

/** Whether the log is in this state, apart from released entries that it may have dropped. */
function isState(wal: Wal, state: Model): boolean {
  for (const group of [0, 1, 2]) {
    const expected = state.get(group) ?? BLANK;
    const actual = wal.groupState(group);
    const { firstIndex } = actual;
    const before =
      expected.entries.find((entry) => entry.index === firstIndex - 1)?.term ?? expected.baseTerm;
    if (
      actual.lastIndex !== lastIndex(expected) ||
      actual.lastTerm !== (expected.entries.at(-1)?.term ?? expected.baseTerm) ||
      firstIndex <= expected.base ||
      firstIndex > Math.max(expected.released, expected.base) + 1 ||
      actual.snapshotTerm !== before ||
      JSON.stringify(actual.hardState) !== JSON.stringify(expected.hardState)
    ) {
      return false;
    }
    const entries = plain(wal.entries(group, firstIndex, actual.lastIndex + 1, Number.POSITIVE_INFINITY));
    const wanted = expected.entries.filter((entry) => entry.index >= firstIndex);
    if (entries.length !== wanted.length) return false;
    if (!entries.every((entry, i) => isSame(entry, wanted[i]!))) return false;
  }
  return true;
}

function isSame(a: LogEntry, b: LogEntry): boolean {
  return (
    a.index === b.index && a.term === b.term && a.kind === b.kind && Buffer.compare(a.data, b.data) === 0
  );
}

const seed = fc.integer({ min: 0, max: 2 ** 31 });
const actions = fc.array(action, { minLength: 5, maxLength: 60, size: 'max' });
const RUNS = Number(process.env.GOMSG_WAL_CRASH_RUNS ?? 250);

test('after any crash all that was flushed is there, in order, and nothing else', async () => {
  const shape = fc.record({
    segmentBytes: fc.constantFrom(1024, 4096, 20_000),
    tailSegments: fc.constantFrom(1, 2),
    cacheBytes: fc.constantFrom(0, 2000, 100_000),
  });
  await fc.assert(
    fc.asyncProperty(seed, shape, actions, async (seed, shape, actions) => {
      const run = new Run(seed, { ...shape, retryDelayMs: 1 });
      await run.open();
      for (const action of actions) await run.do(action);
      await run.do({ kind: 'crash' });
    }),
    { numRuns: RUNS },
  );
});

test('in the relaxed mode a crash goes back to some earlier moment, and is never taken for damage', async () => {
  await fc.assert(
    fc.asyncProperty(seed, fc.constantFrom(4096, 20_000), actions, async (seed, segmentBytes, actions) => {
      const run = new Run(seed, { segmentBytes, fsyncIntervalMs: 1, retryDelayMs: 1 });
      await run.open();
      for (const action of actions) await run.do(action);
      await run.do({ kind: 'crash' });
    }),
    { numRuns: RUNS },
  );
});

test('a crash at any turn of the event loop, while segments are made and recycled, loses nothing durable', async () => {
  for (let turns = 0; turns < 240; turns++) {
    const disk = new SimulatedDisk(turns);
    const options = { segmentBytes: 2048, tailSegments: 1, retryDelayMs: 1 };
    const wal = await Wal.open('simulated', { ...options, files: disk.mount() });
    let written = 0;
    let durable = 0;
    const writeNext = () => {
      durable = written;
      wal.release(1, durable - 1);
      written++;
      wal.append(1, [{ index: written, term: 1, kind: 0, data: new Uint8Array(500).fill(written) }]);
      wal.flush((error) => {
        if (error === undefined) writeNext();
      });
    };
    writeNext();
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    disk.crash();
    const again = await Wal.open('simulated', { ...options, files: disk.mount() });
    const { firstIndex, lastIndex } = again.groupState(1);
    expect([durable, durable + 1]).toContain(lastIndex);
    expect(firstIndex).toBeLessThanOrEqual(Math.max(1, durable));
    const entries = again.entries(1, firstIndex, lastIndex + 1, Number.POSITIVE_INFINITY);
    expect(entries.map((entry) => entry.data[499])).toEqual(entries.map((entry) => entry.index % 256));
  }
});
