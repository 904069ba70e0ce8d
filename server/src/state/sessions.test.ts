import { describe, expect, it } from 'vitest';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { isFailure, type Outcome } from './failure.ts';
import {
  ALL_UNRECEIVED_BYTES_MAX,
  SESSIONS_MAX,
  SessionTable,
  UNRECEIVED_BYTES_MAX,
  UNRECEIVED_MAX,
} from './sessions.ts';
import { ModelStore } from './testing/model-store.ts';

const MIB = 1024 * 1024;
/** What a row of the ordered store may hold. */
const ROW_BYTES_MAX = 16 * MIB;
const HOUR = 3_600_000;
const NOW = 1_767_225_600_000;

function answer(text: string): Outcome {
  return new Uint8Array(Buffer.from(text));
}

function at(sessionId: bigint, sequence: number, rest: { answeredBelow?: number; retry?: boolean } = {}) {
  return { sessionId, sequence, answeredBelow: 0, retry: false, ...rest };
}

/** Applies as the group does: `begin`, then `finish` when it was let through. */
function run(table: SessionTable, position: ReturnType<typeof at>, text: string, stamp_ms = NOW): string {
  const known = table.begin(position, stamp_ms);
  if (known === undefined) {
    table.finish(position, answer(text));
    return text;
  }
  return isFailure(known) ? ErrorReason[known.reason] : Buffer.from(known).toString();
}

describe('a session', () => {
  it('answers a repeated command with its first answer', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    expect(run(table, at(id, 1), 'first')).toBe('first');
    expect(run(table, at(id, 1, { retry: true }), 'second')).toBe('first');
  });

  it('repeats failures too', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    expect(table.begin(at(id, 1), NOW)).toBeUndefined();
    const failure = { reason: ErrorReason.CONDITION_FAILED, message: 'no', currentVersion: 7 };
    table.finish(at(id, 1), failure);
    expect(table.begin(at(id, 1, { retry: true }), NOW)).toEqual(failure);
  });

  it('takes commands in any order', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    for (const sequence of [5, 2, 9, 1])
      expect(run(table, at(id, sequence), `${sequence}`)).toBe(`${sequence}`);
    expect(run(table, at(id, 2, { retry: true }), 'again')).toBe('2');
  });

  it('forgets what its client has received, and never applies that again', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    run(table, at(id, 1), 'one');
    run(table, at(id, 2), 'two');
    run(table, at(id, 3, { answeredBelow: 2 }), 'three');
    expect(run(table, at(id, 1, { retry: true }), 'again')).toBe('SESSION_EXPIRED');
    expect(run(table, at(id, 2, { retry: true }), 'again')).toBe('two');
  });

  it('takes a far jump of what was received', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    run(table, at(id, 1), 'one');
    expect(run(table, at(id, 2 ** 50, { answeredBelow: 2 ** 50 }), 'far')).toBe('far');
    expect(run(table, at(id, 1, { retry: true }), 'again')).toBe('SESSION_EXPIRED');
  });

  it('is bounded in answers that nobody confirms', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    for (let sequence = 1; sequence <= UNRECEIVED_MAX; sequence++) run(table, at(id, sequence), 'x');
    expect(run(table, at(id, UNRECEIVED_MAX + 1), 'x')).toBe('OVERLOADED');
    expect(run(table, at(id, UNRECEIVED_MAX + 1, { answeredBelow: 2 }), 'fits')).toBe('fits');
  });

  it('has an id that no other has, also within a millisecond and with the clock set back', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const ids = [NOW, NOW, NOW, NOW - HOUR].map((stamp_ms) => table.open(stamp_ms));
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('a retry in a session that the group does not know', () => {
  it('is applied when the session cannot have been here before', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    expect(run(table, at(id, 1, { retry: true }), 'new here')).toBe('new here');
  });

  it('is refused when the session may have been evicted', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    run(table, at(id, 1), 'applied');
    table.evictIdle(NOW + HOUR, HOUR);
    expect(table.size).toBe(0);
    expect(run(table, at(id, 1, { retry: true }), 'twice', NOW + HOUR)).toBe('SESSION_EXPIRED');
  });

  it('is applied for sessions opened well after the last eviction', () => {
    const table = new SessionTable(new ModelStore(), 1);
    run(table, at(table.open(NOW), 1), 'old');
    table.evictIdle(NOW + HOUR, HOUR);
    const later = table.open(NOW + HOUR);
    expect(run(table, at(later, 1, { retry: true }), 'new', NOW + HOUR)).toBe('new');
  });
});

describe('the table', () => {
  it('keeps sessions that are in use when idle ones end', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const [idle, used] = [table.open(NOW), table.open(NOW)];
    run(table, at(idle, 1), 'x');
    run(table, at(used, 1), 'x', NOW + HOUR - 1);
    table.evictIdle(NOW + HOUR, HOUR);
    expect(table.size).toBe(1);
    expect(run(table, at(used, 1, { retry: true }), 'again', NOW + HOUR)).toBe('x');
  });

  it('is bounded: past the limit those unused longest go', () => {
    const table = new SessionTable(new ModelStore(), 1);
    for (let i = 0; i < SESSIONS_MAX; i++) run(table, at(BigInt(i + 1), 1), 'x', NOW + i);
    run(table, at(table.open(NOW + HOUR), 1), 'one more', NOW + HOUR);
    expect(table.size).toBeLessThanOrEqual(SESSIONS_MAX);
    expect(run(table, at(1n, 1, { retry: true }), 'twice', NOW + HOUR)).toBe('SESSION_EXPIRED');
    expect(run(table, at(BigInt(SESSIONS_MAX), 1, { retry: true }), 'twice', NOW + HOUR)).toBe('x');
  });

  it('is the same after a restart: answers, failures, horizon and ids', () => {
    const store = new ModelStore();
    const table = new SessionTable(store, 1);
    const [gone, kept] = [table.open(NOW), table.open(NOW)];
    run(table, at(gone, 1), 'x');
    run(table, at(kept, 4, { answeredBelow: 2 }), 'kept', NOW + HOUR - 1);
    table.begin(at(kept, 5), NOW + HOUR - 1);
    table.finish(at(kept, 5), { reason: ErrorReason.KEY_NOT_FOUND, message: 'none', subject: 'ключ' });
    table.save();
    table.evictIdle(NOW + HOUR, HOUR);
    table.save();

    const again = new SessionTable(store, 1);
    again.load();
    expect(again.size).toBe(1);
    expect(run(again, at(kept, 4, { retry: true }), 'twice', NOW + HOUR)).toBe('kept');
    expect(again.begin(at(kept, 5, { retry: true }), NOW + HOUR)).toMatchObject({ subject: 'ключ' });
    expect(run(again, at(kept, 1, { retry: true }), 'twice', NOW + HOUR)).toBe('SESSION_EXPIRED');
    expect(run(again, at(gone, 1, { retry: true }), 'twice', NOW + HOUR)).toBe('SESSION_EXPIRED');
    expect(again.open(NOW - HOUR)).toBeGreaterThan(kept);
  });

  it('fits the rows of the store, whatever its sessions hold, and comes back whole', () => {
    const store = new ModelStore();
    const table = new SessionTable(store, 1);
    const [large, small] = [table.open(NOW), table.open(NOW)];
    const value = (sequence: number) => new Uint8Array(10 * MIB).fill(sequence);
    for (const sequence of [1, 2, 3]) {
      table.begin(at(large, sequence), NOW);
      table.finish(at(large, sequence), value(sequence));
    }
    run(table, at(small, 1), 'small');
    table.save();
    expect(Math.max(...[...store.rows.values()].map(({ length }) => length))).toBeLessThan(ROW_BYTES_MAX);

    const again = new SessionTable(store, 1);
    again.load();
    expect(again.size).toBe(2);
    for (const sequence of [1, 2, 3]) {
      const outcome = again.begin(at(large, sequence, { retry: true }), NOW) as Uint8Array;
      expect(Buffer.from(value(sequence)).equals(outcome)).toBe(true);
    }
    expect(run(again, at(small, 1, { retry: true }), 'twice')).toBe('small');
  });

  it('leaves no rows behind of a session that became smaller, closed, or began anew', () => {
    const store = new ModelStore();
    const table = new SessionTable(store, 1);
    const id = table.open(NOW);
    table.save();
    const rowsBefore = store.rows.size;
    const hold = (sequence: number, bytes: number, answeredBelow = 0) => {
      table.begin(at(id, sequence, { answeredBelow }), NOW);
      table.finish(at(id, sequence), new Uint8Array(bytes));
      table.save();
    };
    hold(1, 20 * MIB);
    hold(2, 10, 2);
    expect(store.rows.size).toBe(rowsBefore + 1);
    hold(3, 20 * MIB, 3);
    table.close(id);
    hold(4, 10);
    expect(store.rows.size).toBe(rowsBefore + 1);
    const again = new SessionTable(store, 1);
    again.load();
    expect(again.begin(at(id, 4, { retry: true }), NOW)).toHaveLength(10);
    table.close(id);
    table.save();
    expect(store.rows.size).toBe(rowsBefore);
  });

  it('is bounded in what all sessions hold together: those unused longest go', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const answerBytes = UNRECEIVED_BYTES_MAX / 2;
    const count = Math.ceil(ALL_UNRECEIVED_BYTES_MAX / answerBytes) + 1;
    // One buffer for all: the table counts what each answer has.
    const shared = new Uint8Array(answerBytes);
    const ids = Array.from({ length: count }, () => table.open(NOW));
    for (const [i, id] of ids.entries()) {
      table.begin(at(id, 1), NOW + i);
      table.finish(at(id, 1), shared);
    }
    expect(run(table, at(ids[0]!, 1, { retry: true }), 'twice', NOW + count)).toBe('SESSION_EXPIRED');
    expect(table.begin(at(ids.at(-1)!, 1, { retry: true }), NOW + count)).toBe(shared);
    expect(table.size).toBeLessThan(count);
  });

  it('does not keep the memory of others alive with the answers that it keeps', () => {
    const table = new SessionTable(new ModelStore(), 1);
    const id = table.open(NOW);
    const pool = new Uint8Array(64 * 1024);
    table.begin(at(id, 1), NOW);
    table.finish(at(id, 1), pool.subarray(100, 110));
    table.save();
    const kept = table.begin(at(id, 1, { retry: true }), NOW) as Uint8Array;
    expect(kept).toHaveLength(10);
    expect(kept.buffer.byteLength).toBeLessThan(1024);
  });

  it('does not mix up groups', () => {
    const store = new ModelStore();
    const one = new SessionTable(store, 1);
    run(one, at(one.open(NOW), 1), 'x');
    one.save();
    const two = new SessionTable(store, 2);
    two.load();
    expect(two.size).toBe(0);
  });

  it('closes sessions', () => {
    const store = new ModelStore();
    const table = new SessionTable(store, 1);
    const id = table.open(NOW);
    run(table, at(id, 1), 'x');
    table.save();
    table.close(id);
    table.save();
    expect(table.size).toBe(0);
    const again = new SessionTable(store, 1);
    again.load();
    expect(again.size).toBe(0);
  });
});
