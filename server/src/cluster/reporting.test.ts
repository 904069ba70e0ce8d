import { expect, it } from 'vitest';
import type { Group } from '../groups/group.ts';
import { makeConfiguration } from '../raft/index.ts';
import { LeaderTable } from './leader-table.ts';
import { MEASURED_MS_MIN } from './load-meter.ts';
import { Reporting } from './reporting.ts';
import { Reports } from './reports.ts';

const GROUP = 3;

/** The group as its leader, replica 1, has it: as much of one as a report is made from. */
class LedGroupModel {
  readonly id = GROUP;
  readonly isLeader = true;
  readonly term = 5;
  readonly configuration = { ...makeConfiguration([1, 2]), learners: [3] };
  writesTotal = 0;
  readsTotal = 0;
  bytes = 1_000;
  readonly matches = new Map([
    [2, 50_000],
    [3, 10_000],
  ]);
  readonly state = { dataBytes: () => this.bytes };

  status() {
    const peers = [...this.matches].map(([id, match]) => ({
      id,
      match,
      state: 'replicate',
      recentlyActive: true,
    }));
    const { configuration } = this;
    return { id: 1, commit: 50_000, lastIndex: 50_000, persisted: 50_000, configuration, peers };
  }
}

/** Nodes 1, which leads the group, and 2, which hears of it. */
function twoNodes() {
  let now_ms = 0;
  const led = new LedGroupModel();
  const sent: Uint8Array[] = [];
  const sending = new Map<number, number>();
  const nodeOfNumber = (self: number, groups: readonly LedGroupModel[]) => {
    const monotonic = () => now_ms;
    const leaders = new LeaderTable();
    const reporting = new Reporting({
      self,
      version: '1.0.0',
      startedAt_ms: 1,
      replicas: () => groups as unknown as readonly Group[],
      replica: (id) => groups.find((group) => group.id === id) as unknown as Group | undefined,
      snapshotSentBytes: (_group, replica) => sending.get(replica),
      leaders,
      reports: new Reports(monotonic),
      isDraining: () => false,
      sampleFigures: () => ({}),
      send: (report) => sent.push(report),
      monotonic,
    });
    return { leaders, reporting };
  };
  const one = nodeOfNumber(1, [led]);
  one.leaders.claim(GROUP, { node: 1, term: 5 });
  const two = nodeOfNumber(2, []);
  /** Time passes second by second, with a report for each. */
  const pass = (seconds: number, writesPerSecond = 0): void => {
    for (let second = 0; second < seconds; second++) {
      now_ms += 1_000;
      led.writesTotal += writesPerSecond;
      one.reporting.sendFigures();
      two.reporting.take(1, sent.at(-1)!);
    }
  };
  return { one: one.reporting, two: two.reporting, led, sending, pass };
}

it('load counts once its leader has measured it for a while, on the leader and on all that hear of it', () => {
  const { one, two, pass } = twoNodes();
  pass(MEASURED_MS_MIN / 1_000, 40);
  for (const node of [one, two]) expect(node.hearsay().loadOf(GROUP)).toBeUndefined();
  pass(1, 40);
  for (const node of [one, two]) {
    expect(node.hearsay().loadOf(GROUP)?.writesPerSecond).toBeCloseTo(40);
    expect(node.hearsay().loadOf(GROUP)).toMatchObject({ readsPerSecond: 0, bytes: 1_000 });
    expect(node.hearsay().loadOf(GROUP + 1)).toBeUndefined();
  }
});

it('members that lack part of the log are told of with how much they have, of the log or of the snapshot', () => {
  const { two, led, sending, pass } = twoNodes();
  pass(1);
  expect(two.led(GROUP)?.caughtUp).toEqual([1n, 2n]);
  expect(two.led(GROUP)?.catchingUp).toMatchObject([{ replica: 3n, percent: 20 }]);
  sending.set(3, 730);
  pass(1);
  expect(two.led(GROUP)?.catchingUp).toMatchObject([{ replica: 3n, percent: 73 }]);
  // More than was estimated is not all.
  sending.set(3, 5_000);
  pass(1);
  expect(two.led(GROUP)?.catchingUp).toMatchObject([{ replica: 3n, percent: 99 }]);
  sending.clear();
  led.matches.set(3, 50_000);
  pass(1);
  expect(two.led(GROUP)?.catchingUp).toEqual([]);
  expect(two.led(GROUP)?.caughtUp).toEqual([1n, 2n, 3n]);
});
