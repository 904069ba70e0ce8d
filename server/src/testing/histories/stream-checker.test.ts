import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkStream,
  type GroupChange,
  type GroupCommit,
  type GroupDelivery,
  type GroupHistory,
  type GroupPosition,
  type StreamHistory,
  type StreamPublish,
  type StreamRecord,
} from './stream-checker.ts';

const PARTITIONS = 2;
const GROUP = 'workers';

interface Choice {
  readonly what: number;
  readonly partition: number;
  readonly early_us: number;
  readonly late_us: number;
  readonly fate: number;
}

/** A stream that does right, with publishers that lose answers and a group whose partitions change hands. */
function rightHistory(choices: readonly Choice[]): StreamHistory {
  const log = new Map<number, StreamRecord[]>();
  const publishes: StreamPublish[] = [];
  const deliveries: GroupDelivery[] = [];
  const commits: GroupCommit[] = [];
  const positions: GroupPosition[] = [];
  const changes: GroupChange[] = [];
  const parts = Array.from({ length: PARTITIONS }, () => ({ member: 'a', next: 0, committed: 0 }));
  let now_us = 0;
  const around = ({ early_us, late_us }: Choice) => ({
    invokedAt_us: Math.max(0, now_us - early_us),
    endedAt_us: now_us + late_us,
  });
  const unanswered = (choice: Choice) => ({ ...around(choice), endedAt_us: Number.POSITIVE_INFINITY });
  const deliver = (partition: number, choice: Choice): boolean => {
    const part = parts[partition]!;
    const record = log.get(partition)?.[part.next];
    if (record === undefined) return false;
    part.next++;
    deliveries.push({ ...record, member: part.member, partition, ...around(choice) });
    return true;
  };
  for (const choice of choices) {
    now_us += 10;
    const { what, partition, fate } = choice;
    const part = parts[partition]!;
    if (what < 40) {
      const records = log.get(partition) ?? [];
      log.set(partition, records);
      const message = `m${publishes.length}`;
      const offset = records.length;
      if (fate > 1) records.push({ offset, message });
      if (fate === 0) publishes.push({ message, partition, outcome: 'fail', ...around(choice) });
      else if (fate <= 2) publishes.push({ message, partition, outcome: 'unknown', ...unanswered(choice) });
      else publishes.push({ message, partition, outcome: 'ok', offset, ...around(choice) });
    } else if (what < 75) {
      deliver(partition, choice);
    } else if (what < 85) {
      if (fate > 1) part.committed = part.next;
      const commit = { partition, next: part.next };
      if (fate === 0) commits.push({ ...commit, outcome: 'fail', ...around(choice) });
      else if (fate <= 2) commits.push({ ...commit, outcome: 'unknown', ...unanswered(choice) });
      else commits.push({ ...commit, outcome: 'ok', ...around(choice) });
    } else if (what < 95) {
      positions.push({ partition, next: part.committed, ...around(choice) });
    } else {
      changes.push(around(choice));
      part.member = part.member === 'a' ? 'b' : 'a';
      part.next = part.committed;
    }
  }
  const calm = { what: 0, partition: 0, early_us: 0, late_us: 0, fate: 9 };
  for (let partition = 0; partition < PARTITIONS; partition++) {
    do now_us += 10;
    while (deliver(partition, calm));
  }
  const readings = [...log].map(([partition, records]) => ({ reader: 'r', partition, records }));
  const group = { group: GROUP, deliveries, commits, positions, changes, isDrained: true };
  return { publishes, log, readings, groups: [group] };
}

const choice: fc.Arbitrary<Choice> = fc.record({
  what: fc.nat(99),
  partition: fc.nat(PARTITIONS - 1),
  early_us: fc.nat(40),
  late_us: fc.nat(40),
  fate: fc.nat(19),
});
const histories = fc.array(choice, { minLength: 100, maxLength: 200, size: 'max' }).map(rightHistory);
const rules = (history: StreamHistory): string[] => [
  ...new Set(checkStream(history).map(({ rule }) => rule)),
];

it('what a right stream does is taken', () => {
  fc.assert(
    fc.property(histories, (history) => {
      expect(checkStream(history)).toEqual([]);
    }),
    { seed: 1, numRuns: 300 },
  );
});

describe('in what a right stream did, it is noticed', () => {
  const base = fc.sample(histories, { seed: 2, numRuns: 30 });
  const each = (change: (history: StreamHistory) => StreamHistory, rule: string): void => {
    for (const history of base) expect(rules(change(history))).toContain(rule);
  };
  const withLog = (
    history: StreamHistory,
    change: (log: readonly StreamRecord[]) => readonly StreamRecord[],
  ) => ({
    ...history,
    log: new Map(history.log).set(0, change(history.log.get(0)!)),
    readings: [],
    groups: [],
  });
  const withGroup = (
    history: StreamHistory,
    change: (group: GroupHistory) => GroupHistory,
  ): StreamHistory => ({
    ...history,
    groups: history.groups.map(change),
  });
  const renumbered = (log: readonly StreamRecord[]): StreamRecord[] =>
    log.map(({ message }, offset) => ({ offset, message }));
  const acknowledged = ({ publishes }: StreamHistory): StreamPublish[] =>
    publishes.filter(({ outcome, partition }) => outcome === 'ok' && partition === 0);

  it('that an offset is missing', () => {
    each((history) => withLog(history, (log) => log.toSpliced(1, 1)), 'offsets have no gap');
  });

  it('that an acknowledged message was lost', () => {
    each((history) => {
      const { message } = acknowledged(history)[0]!;
      return withLog(history, (log) => renumbered(log.filter((record) => record.message !== message)));
    }, 'what was acknowledged is there');
  });

  it('that a message was appended twice', () => {
    each((history) => withLog(history, (log) => renumbered([...log, log[0]!])), 'a message is there once');
  });

  it('that an answer named a wrong offset', () => {
    each((history) => {
      const first = acknowledged(history)[0]!;
      const publishes = history.publishes.map((each) =>
        each === first ? { ...each, offset: each.offset! + 1 } : each,
      );
      return { ...history, publishes };
    }, 'a message is where the answer said');
  });

  it('that a message is there which was refused, or which nobody published', () => {
    each(
      (history) => withLog(history, (log) => [...log, { offset: log.length, message: 'ghost' }]),
      'what is there was published',
    );
    each((history) => {
      const first = acknowledged(history)[0]!;
      const publishes = history.publishes.map((each) =>
        each === first ? { ...each, outcome: 'fail' as const } : each,
      );
      return { ...history, publishes };
    }, 'what is there was published');
  });

  it('that two publishes changed places', () => {
    each((history) => {
      const some = acknowledged(history);
      const [first, last] = [some[0]!, some.at(-1)!];
      return withLog(history, (log) =>
        log.map((record) => {
          if (record.offset === first.offset) return { ...record, message: last.message };
          return record.offset === last.offset ? { ...record, message: first.message } : record;
        }),
      );
    }, 'messages are in the order of their publishes');
  });

  it('that a subscription skipped a message', () => {
    each((history) => {
      const readings = history.readings.map((reading) => ({
        ...reading,
        records: reading.records.toSpliced(1, 1),
      }));
      return { ...history, readings };
    }, 'a subscription skips and repeats nothing');
  });

  it('that readers saw different messages at an offset', () => {
    each((history) => {
      const readings = history.readings.map((reading) => ({
        ...reading,
        records: reading.records.with(0, { ...reading.records[0]!, message: 'other' }),
      }));
      return { ...history, readings };
    }, 'all readers see the same');
  });

  it('that two members got a message, and nobody came or went', () => {
    each(
      (history) =>
        withGroup(history, (group) => ({
          ...group,
          deliveries: [...group.deliveries, { ...group.deliveries.at(-1)!, member: 'thief' }],
          changes: [],
        })),
      'a message is with one member at a time',
    );
  });

  it('that a committed message came back', () => {
    each(
      (history) =>
        withGroup(history, (group) => {
          const last = group.deliveries.at(-1)!;
          const { partition, offset, endedAt_us } = last;
          const time = { invokedAt_us: endedAt_us + 1, endedAt_us: endedAt_us + 2 };
          const commit = { partition, next: offset + 1, outcome: 'ok', ...time } as const;
          const again = { ...last, invokedAt_us: endedAt_us + 3, endedAt_us: endedAt_us + 4 };
          return {
            ...group,
            commits: [...group.commits, commit],
            deliveries: [...group.deliveries, again],
            changes: [...group.changes, time],
          };
        }),
      'what was committed never comes back',
    );
  });

  it('that a commit was forgotten, or one was seen that nobody made', () => {
    for (const next of [0, 1_000_000]) {
      each(
        (history) =>
          withGroup(history, (group) => {
            const commit = { partition: 0, next: 5, outcome: 'ok', invokedAt_us: 1, endedAt_us: 2 } as const;
            const position = { partition: 0, next, invokedAt_us: 1_000_000, endedAt_us: 1_000_001 };
            return {
              ...group,
              commits: [...group.commits, commit],
              positions: [...group.positions, position],
            };
          }),
        'a committed offset never goes back',
      );
    }
  });

  it('that nobody of a group got a message', () => {
    each(
      (history) =>
        withGroup(history, (group) => ({
          ...group,
          deliveries: group.deliveries.filter(({ partition, offset }) => partition !== 0 || offset !== 0),
        })),
      'a group gets every message',
    );
  });
});

it('what retention took is not missed', () => {
  const publish = (message: string, offset: number): StreamPublish => ({
    message,
    partition: 0,
    outcome: 'ok',
    offset,
    invokedAt_us: offset * 10,
    endedAt_us: offset * 10 + 5,
  });
  const history = {
    publishes: [publish('a', 0), publish('b', 1)],
    log: new Map([[0, [{ offset: 1, message: 'b' }]]]),
    readings: [],
    groups: [],
  };
  expect(rules(history)).toEqual(['offsets have no gap', 'what was acknowledged is there']);
  expect(rules({ ...history, firstOffsets: new Map([[0, 1]]) })).toEqual([]);
});
