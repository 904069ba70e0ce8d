import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RETIRED_SESSIONS_MAX, SESSION_SPAN_MAX, Sessions, WriteSession } from './session.ts';

const HOUR_MS = 3_600_000;

describe('a session', () => {
  test('knows up to where all writes were answered, in whatever order the answers came', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 300 }), (steps) => {
        const session = new WriteSession(1n, HOUR_MS, 0);
        const open: number[] = [];
        let taken = 0;
        for (const [take, which] of steps) {
          if (take || open.length === 0) {
            open.push(session.take(0));
            taken += 1;
          } else session.answered(open.splice(which % open.length, 1)[0]!);
          expect(session.answeredBelow).toBe(Math.min(taken + 1, ...open));
          expect(session.isIdle).toBe(open.length === 0);
        }
      }),
    );
  });

  test('has room for so many writes from the oldest unanswered one on, time after time', () => {
    const session = new WriteSession(1n, HOUR_MS, 0);
    for (let round = 0; round < 3; round++) {
      const slow = session.take(0);
      for (let i = 1; i < SESSION_SPAN_MAX; i++) session.answered(session.take(0));
      expect(session.hasRoom).toBe(false);
      session.answered(slow);
      expect(session.hasRoom).toBe(true);
      expect(session.isIdle).toBe(true);
    }
  });
});

/** Sessions whose server opens them when the test says so. */
function sessions() {
  const log: string[] = [];
  const all = new Sessions({ open: () => log.push('open'), close: (id) => log.push(`close ${id}`) });
  return { all, log };
}

describe('sessions', () => {
  test('are opened once, however many writes wait', () => {
    const { all, log } = sessions();
    expect(all.current(0)).toBeUndefined();
    expect(all.current(0)).toBeUndefined();
    expect(log).toEqual(['open']);
    all.opened(7n, HOUR_MS, 0);
    expect(all.current(0)?.id).toBe(7n);
  });

  test('that were idle for half of what the server allows are replaced', () => {
    const { all, log } = sessions();
    all.opened(7n, HOUR_MS, 0);
    const session = all.current(HOUR_MS / 2 - 1)!;
    all.settled(session, session.take(HOUR_MS / 2 - 1));
    expect(all.current(HOUR_MS - 2)).toBe(session);
    expect(all.current(HOUR_MS)).toBeUndefined();
    expect(log).toEqual(['close 7', 'open']);
  });

  test('that are lost get no further write, and end with their last answer', () => {
    const { all, log } = sessions();
    all.opened(7n, HOUR_MS, 0);
    const session = all.current(0)!;
    const sequence = session.take(0);
    all.lost(session);
    all.lost(session);
    expect(all.current(0)).toBeUndefined();
    expect(log).toEqual(['open']);
    all.settled(session, sequence);
    expect(log).toEqual(['open', 'close 7']);
  });

  test('that wait for last answers are bounded: then writes wait too', () => {
    const { all, log } = sessions();
    const slow: [WriteSession, number][] = [];
    for (let id = 1; id <= RETIRED_SESSIONS_MAX + 1; id++) {
      all.opened(BigInt(id), HOUR_MS, 0);
      const session = all.current(0)!;
      slow.push([session, session.take(0)]);
      for (let i = 1; i < SESSION_SPAN_MAX; i++) session.answered(session.take(0));
      expect(all.current(0)).toBeUndefined();
    }
    expect(log.filter((entry) => entry === 'open')).toHaveLength(RETIRED_SESSIONS_MAX);
    all.settled(...slow[0]!);
    expect(all.current(0)).toBeUndefined();
    expect(log.slice(-2)).toEqual(['close 1', 'open']);
  });
});
