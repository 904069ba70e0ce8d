import { describe, expect, it } from 'vitest';
import { fromJsonLines, HistoryFull, HistoryRecorder, toJsonLines } from './history.ts';

function recorder(maxOperations = 100) {
  let now_us = 0;
  return new HistoryRecorder<string, number>({ maxOperations, now_us: () => ++now_us });
}

describe('a recorder', () => {
  it('keeps each call with the times around it', () => {
    const record = recorder();
    const first = record.invoke(1, 'a', 'x');
    const second = record.invoke(2, 'b', 'y');
    second.ok(7);
    first.fail();
    expect(record.history()).toEqual([
      { client: 1, key: 'a', input: 'x', outcome: 'fail', invokedAt_us: 1, endedAt_us: 4 },
      { client: 2, key: 'b', input: 'y', outcome: 'ok', output: 7, invokedAt_us: 2, endedAt_us: 3 },
    ]);
  });

  it('takes a call without an answer, and one still under way, for unknown', () => {
    const record = recorder();
    record.invoke(1, 'a', 'x').unknown();
    record.invoke(1, 'a', 'y');
    expect(record.history().map(({ outcome, endedAt_us }) => [outcome, endedAt_us])).toEqual([
      ['unknown', Number.POSITIVE_INFINITY],
      ['unknown', Number.POSITIVE_INFINITY],
    ]);
  });

  it('refuses a second end of a call', () => {
    const call = recorder().invoke(1, 'a', 'x');
    call.ok(1);
    expect(() => call.unknown()).toThrow('ended twice');
  });

  it('holds no more than it may', () => {
    const record = recorder(1);
    record.invoke(1, 'a', 'x');
    expect(() => record.invoke(1, 'a', 'y')).toThrow(HistoryFull);
  });

  it('goes by a clock that never runs back', () => {
    const record = new HistoryRecorder<string, number>();
    record.invoke(1, 'a', 'x').ok(1);
    const operation = record.history()[0]!;
    expect(operation.endedAt_us).toBeGreaterThanOrEqual(operation.invokedAt_us);
  });
});

it('lines of JSON read back as the history they were written from', () => {
  const record = recorder();
  record.invoke(1, 'a', 'x').ok(1);
  record.invoke(1, 'a', 'y').unknown();
  record.invoke(2, 'b', 'z').fail();
  const text = toJsonLines(record.history());
  expect(text.split('\n')).toHaveLength(4);
  expect(fromJsonLines(text)).toEqual(record.history());
});
