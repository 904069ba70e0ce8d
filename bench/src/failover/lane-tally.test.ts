import { describe, expect, test } from 'vitest';
import type { Event, Kind } from './event.ts';
import { type Faults, LaneTally, type Stored } from './lane-tally.ts';

const GROUP = 0;
const UNNAMED = 1;

function told(kind: Kind, facts: Partial<Event> = {}): Event {
  return { kind, lane: 0, at: 0, ok: true, ...facts };
}

/** Three of everything, all as it should be. */
function whole(lane = GROUP): Event[] {
  return [1, 2, 3].flatMap((id) => [
    told('incr', { value: id }),
    told('push', { id }),
    told('settle', { id, message: `q#${id}` }),
    told('publish', { id }),
    told('deliver', { id, offset: id - 1 }),
    ...(lane === GROUP ? [told('commit', { offset: id - 1 })] : []),
  ]);
}

const STORED: Stored = { counter: 3, queued: 0, published: [1, 2, 3], committed: 3 };

/** The faults that there are. */
function found(events: readonly Event[], stored: Partial<Stored> = {}, lane = GROUP): Partial<Faults> {
  const tally = new LaneTally(lane);
  for (const event of events) tally.take(event);
  const committed = lane === GROUP ? STORED.committed : undefined;
  const faults = tally.faults({ ...STORED, committed, ...stored });
  return Object.fromEntries(Object.entries(faults).filter(([, times]) => times > 0));
}

describe('what a lane told', () => {
  test('is without fault when each thing was done once', () => {
    expect(found(whole())).toEqual({});
    expect(found(whole(UNNAMED), {}, UNNAMED)).toEqual({});
  });

  test('allows a failed increment to be counted or not', () => {
    const events = [...whole(), told('incr', { ok: false })];
    expect(found(events)).toEqual({});
    expect(found(events, { counter: 4 })).toEqual({});
    expect(found(events, { counter: 5 })).toEqual({ incrementsDoubled: 1 });
    expect(found(events, { counter: 2 })).toEqual({ incrementsLost: 1 });
  });

  test('shows an increment whose sum somebody else had already', () => {
    expect(found([...whole(), told('incr', { value: 3 })])).toEqual({
      incrementsLost: 1,
      incrementsDoubled: 1,
    });
  });

  test('shows a push that never came, and one that is still in the queue', () => {
    expect(found([...whole(), told('push', { id: 4 })])).toEqual({ pushesLost: 1 });
    expect(found(whole(), { queued: 1 })).toEqual({ pushesLost: 1 });
  });

  test('allows an ack without an answer to have settled its message', () => {
    const unanswered = told('settle', { id: 4, message: 'q#4', ok: false });
    expect(found([...whole(), told('push', { id: 4 }), unanswered])).toEqual({});
  });

  test('shows a message that was settled twice, and a push that became two messages', () => {
    expect(found([...whole(), told('settle', { id: 3, message: 'q#3' })])).toEqual({ settledTwice: 1 });
    expect(found([...whole(), told('settle', { id: 3, message: 'q#9' })])).toEqual({ pushesDoubled: 1 });
  });

  test('shows what is missing in a topic, twice there, or not in the order of its publishing', () => {
    expect(found(whole(), { published: [1, 3], committed: 2 })).toEqual({ publishesLost: 1 });
    expect(found(whole(), { published: [1, 3, 2] })).toEqual({ publishesOutOfOrder: 1 });
    const more = [...whole(), told('deliver', { id: 3, offset: 3 })];
    expect(found(more, { published: [1, 2, 3, 3], committed: 4 })).toEqual({ publishesDoubled: 1 });
  });

  test('shows a message that no reader got, and a place that is not committed', () => {
    const unread = whole().filter(({ kind, id }) => kind !== 'deliver' || id !== 2);
    expect(found(unread)).toEqual({ deliveriesLost: 1 });
    expect(found(whole(), { committed: 2 })).toEqual({ deliveriesLost: 1 });
  });

  test('lets a group read again what it has not committed, and nothing else', () => {
    const again = told('deliver', { id: 4, offset: 3 });
    const stored = { published: [1, 2, 3, 4], committed: 4 };
    expect(found([...whole(), again, again, told('commit', { offset: 3 })], stored)).toEqual({});
    expect(found([...whole(), again, told('commit', { offset: 3 }), again], stored)).toEqual({
      deliveriesRepeated: 1,
    });
    const unnamed = { published: [1, 2, 3, 4], committed: undefined };
    expect(found([...whole(UNNAMED), again, again], unnamed, UNNAMED)).toEqual({ deliveriesRepeated: 1 });
  });
});

test('a lane is drained once all is settled, delivered and committed', () => {
  const tally = new LaneTally(GROUP);
  for (const event of whole()) tally.take(event);
  expect(tally.isDrained(STORED)).toBe(true);
  for (const event of [told('push', { id: 4 }), told('publish', { id: 4 })]) tally.take(event);
  const published = [1, 2, 3, 4];
  expect(tally.isDrained({ ...STORED, queued: 1, published })).toBe(false);
  tally.take(told('settle', { id: 4, message: 'q#4' }));
  expect(tally.isDrained({ ...STORED, published })).toBe(false);
  tally.take(told('deliver', { id: 4, offset: 3 }));
  expect(tally.isDrained({ ...STORED, published })).toBe(false);
  expect(tally.isDrained({ ...STORED, published, committed: 4 })).toBe(true);
});

test('a lane is not drained of what was stored although its caller was told of a failure', () => {
  const tally = new LaneTally(UNNAMED);
  for (const event of whole(UNNAMED)) tally.take(event);
  const stored = { ...STORED, committed: undefined };
  expect(tally.isDrained(stored)).toBe(true);
  tally.take(told('publish', { id: 4, ok: false }));
  expect(tally.isDrained({ ...stored, published: [1, 2, 3, 4] })).toBe(false);
  tally.take(told('deliver', { id: 4, offset: 3 }));
  expect(tally.isDrained({ ...stored, published: [1, 2, 3, 4] })).toBe(true);
  expect(tally.isDrained({ ...stored, queued: 1 })).toBe(false);
});
