import { expect, test } from 'vitest';
import { createLogger } from '../observe/logger.ts';
import { GroupState } from '../state/group-state.ts';
import { ModelStore } from '../state/testing/model-store.ts';
import { ForeignMembers } from './foreign-members.ts';
import { NO_CONTROL_STATE } from './no-control-state.ts';
import { SupersededError } from './superseded.ts';

const OTHER = { nodeId: 'node2', clusterId: 'the-old-one', peer: '127.0.0.1:1' };
const MEMBER = { nodeId: '', address: '', hostLabel: '', version: '', level: 1, admittedAt_ms: 0 };

interface Setting {
  readonly members?: number;
  readonly keys?: number;
  readonly foundedAt_ms?: number;
}

function meet({ members = 1, keys = 0, foundedAt_ms }: Setting) {
  const state = new GroupState(new ModelStore(), 1);
  Object.defineProperty(state.kv, 'keys', { value: keys });
  const seen = { now_ms: 120_000, ended: [] as Error[], lines: [] as string[] };
  const foreign = new ForeignMembers({
    clusterId: 'this-one',
    foundedAt_ms,
    control: () => ({
      ...NO_CONTROL_STATE,
      members: () =>
        Array.from({ length: members }, (_, i) => ({
          ...MEMBER,
          number: i + 1,
          standing: 'active' as const,
        })),
    }),
    states: () => [state],
    monotonic: () => seen.now_ms,
    logger: createLogger({
      level: 'info',
      format: 'json',
      output: { write: (line: string) => void seen.lines.push(line) },
    }),
    supersede: () => new SupersededError('superseded'),
    end: (why) => void seen.ended.push(why),
  });
  return { foreign, seen };
}

test.each([
  ['with nothing in it', {}],
  ['with what it was given in its first minute', { keys: 3, foundedAt_ms: 100_000 }],
])(
  'a cluster of its founder alone, %s, ends when a member of another takes it for its own',
  (_what, setting) => {
    const { foreign, seen } = meet(setting);
    foreign.met(OTHER);
    expect(seen.ended).toHaveLength(1);
  },
);

test.each([
  ['with other members', { members: 2, foundedAt_ms: 100_000 }],
  ['with data', { keys: 3 }],
  ['with data that came when it was older', { keys: 3, foundedAt_ms: 1_000 }],
])('a cluster %s goes on, and tells operators for as long as the other tries', (_what, setting) => {
  const { foreign, seen } = meet(setting);
  foreign.met(OTHER);
  foreign.met(OTHER);
  expect(seen.ended).toEqual([]);
  expect(seen.lines).toEqual([expect.stringContaining('takes this node for one of its members')]);
  expect(foreign.problems()).toEqual([
    expect.stringContaining('node node2 of another cluster (the-old-one)'),
  ]);
  seen.now_ms += 31_000;
  expect(foreign.problems()).toEqual([]);
});

test('however many try, a bounded number is remembered', () => {
  const { foreign } = meet({ members: 2 });
  for (let i = 0; i < 100; i++) foreign.met({ ...OTHER, nodeId: `node${i}` });
  expect(foreign.problems()).toHaveLength(16);
});
