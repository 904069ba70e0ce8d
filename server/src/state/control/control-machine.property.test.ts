import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  AdmitNodeSchema,
  ChangeSettingSchema,
  FoundClusterSchema,
  MarkLeavingSchema,
  MarkLeftSchema,
  PlaceGroupSchema,
  PreferLeaderSchema,
} from '../../gen/gomsg/internal/v1/control_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { isFailure, type Outcome } from '../failure.ts';
import { controlMethod as method } from './method-numbers.ts';
import { ControlDriver, facts, TWO_GROUPS } from './testing/control-driver.ts';
import { ControlModel, type Verdict } from './testing/control-model.ts';

/** Does the same to a machine and to the model. A restart has no outcome. */
interface Step {
  readonly act: (driver: ControlDriver) => Outcome | undefined;
  readonly expected: (model: ControlModel) => Verdict;
}

const nodeId = fc.integer({ min: 1, max: 6 }).map((number) => `node${number}`);
const nonce = fc.constantFrom('x', 'x', 'x', 'y');
const node = fc.integer({ min: 1, max: 6 });
const group = fc.integer({ min: 0, max: 2 });

const found = fc.record({ nodeId, nonce, replication: fc.integer({ min: 1, max: 9 }) }).map(
  (given): Step => ({
    act: (driver) =>
      driver.run(method.foundCluster, FoundClusterSchema, {
        clusterId: 'c',
        node: facts(given.nodeId),
        nonce: Buffer.from(given.nonce),
        groups: TWO_GROUPS,
        replication: given.replication,
      }),
    expected: (model) => model.found(given.nodeId, given.nonce, given.replication),
  }),
);
const admit = fc.record({ nodeId, nonce }).map(
  (given): Step => ({
    act: (driver) =>
      driver.run(method.admitNode, AdmitNodeSchema, {
        node: facts(given.nodeId),
        nonce: Buffer.from(given.nonce),
      }),
    expected: (model) => model.admit(given.nodeId, given.nonce),
  }),
);
const leave = node.map(
  (number): Step => ({
    act: (driver) => driver.run(method.markLeaving, MarkLeavingSchema, { node: number }),
    expected: (model) => model.leave(number),
  }),
);
const left = node.map(
  (number): Step => ({
    act: (driver) => driver.run(method.markLeft, MarkLeftSchema, { node: number }),
    expected: (model) => model.left(number),
  }),
);
const place = fc
  .record({
    group,
    nodes: fc.uniqueArray(node, { minLength: 1, maxLength: 4 }),
    isStale: fc.integer({ min: 0, max: 5 }).map((one) => one === 0),
  })
  .map(
    (given): Step => ({
      act: (driver) => {
        const epoch = driver.machine.placement(given.group)?.epoch ?? 0;
        return driver.run(method.placeGroup, PlaceGroupSchema, {
          group: given.group,
          nodes: given.nodes,
          expectedEpoch: BigInt(given.isStale ? epoch + 1 : epoch),
        });
      },
      expected: (model) => model.place(given.group, given.nodes, given.isStale),
    }),
  );
const prefer = fc.record({ group, node: fc.integer({ min: 0, max: 6 }) }).map(
  (given): Step => ({
    act: (driver) => driver.run(method.preferLeader, PreferLeaderSchema, given),
    expected: (model) => model.prefer(given.group, given.node),
  }),
);
const setting = fc
  .record({ name: fc.constantFrom('a', 'b', 'ключ'), value: fc.option(fc.string(), { nil: undefined }) })
  .map(
    ({ name, value }): Step => ({
      act: (driver) =>
        driver.run(method.changeSetting, ChangeSettingSchema, {
          name,
          ...(value !== undefined && { value }),
        }),
      expected: (model) => model.setSetting(name, value),
    }),
  );
const restart = fc.constant<Step>({
  act: (driver) => {
    driver.restart();
    return undefined;
  },
  expected: () => 'done',
});

const step = fc.oneof(
  { weight: 1, arbitrary: found },
  { weight: 4, arbitrary: admit },
  { weight: 1, arbitrary: leave },
  { weight: 2, arbitrary: left },
  { weight: 6, arbitrary: place },
  { weight: 2, arbitrary: prefer },
  { weight: 2, arbitrary: setting },
  { weight: 1, arbitrary: restart },
);

test('any history of commands and restarts is what the model makes of it, byte for byte on leader and replica', () => {
  fc.assert(
    fc.property(found, fc.array(step, { maxLength: 60, size: 'max' }), (first, steps) => {
      const leader = new ControlDriver();
      const replica = new ControlDriver(true);
      const model = new ControlModel();
      for (const one of [first, ...steps]) {
        const outcome = one.act(leader);
        // The replica goes through no restart of its own: a state read from the store must be the same.
        if (outcome !== undefined) expect(one.act(replica)).toEqual(outcome);
        expect(verdictOf(outcome)).toBe(one.expected(model));
        check(leader, model);
      }
      leader.machine.save();
      replica.machine.save();
      expect(replica.store.dump()).toEqual(leader.store.dump());
    }),
    { numRuns: 200 },
  );
});

function check({ machine }: ControlDriver, model: ControlModel): void {
  expect(machine.cluster?.epoch).toBe(model.epoch);
  expect(machine.cluster?.replication).toBe(model.replication);
  expect(machine.members().map(({ number, nodeId: id, standing }) => [number, id, standing])).toEqual(
    model.nodes.map(({ id, standing }, position) => [position + 1, id, standing]),
  );
  expect(
    machine
      .placements()
      .map(({ epoch, desired, preferredLeader }) => [epoch, desired.voters, preferredLeader]),
  ).toEqual(
    model.groups.map(({ epoch, voters, preferred }) => [
      epoch,
      [...voters].sort(([a], [b]) => a - b).map(([, replica]) => replica),
      preferred,
    ]),
  );
  const control = machine.placement(0)!.desired;
  const present = model.nodes.flatMap(({ standing }, position) =>
    standing === 'left' ? [] : [position + 1],
  );
  expect([...control.voters, ...control.learners].sort((a, b) => a - b)).toEqual(present);
  expect(Object.fromEntries(machine.settings())).toEqual(model.settings);
}

function verdictOf(outcome: Outcome | undefined): Verdict {
  if (outcome === undefined || !isFailure(outcome)) return 'done';
  switch (outcome.reason) {
    case ErrorReason.ALREADY_EXISTS:
      return 'exists';
    case ErrorReason.NODE_NOT_FOUND:
      return 'not-found';
    case ErrorReason.CONDITION_FAILED:
      return 'failed';
    default:
      return 'not-founded';
  }
}
