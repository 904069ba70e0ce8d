import { describe, expect, it } from 'vitest';
import { replicaId } from '../../cluster/replica-id.ts';
import {
  AdmitNodeSchema,
  ChangeSettingSchema,
  PlaceGroupSchema,
  PreferLeaderSchema,
  RaiseLevelSchema,
  SetReplicationSchema,
  UpdateNodeSchema,
} from '../../gen/gomsg/internal/v1/control_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { GroupState } from '../group-state.ts';
import { LEVEL, LevelTooNewError } from '../level.ts';
import { ModelStore } from '../testing/model-store.ts';
import { CONTROL_GROUP } from './limits.ts';
import { controlMethod } from './method-numbers.ts';
import { ControlDriver, facts, TWO_GROUPS } from './testing/control-driver.ts';

function founded(...others: string[]): ControlDriver {
  const driver = new ControlDriver();
  expect(driver.found()).toMatchObject({ node: 1, clusterId: 'cluster', epoch: 1n });
  for (const [position, id] of others.entries()) {
    expect(driver.admit(id)).toMatchObject({ node: position + 2 });
  }
  return driver;
}

describe('founding', () => {
  it('gives the first node number 1, every slot an owner, and every group its replica there', () => {
    const { machine } = founded();
    expect(machine.cluster).toMatchObject({ clusterId: 'cluster', epoch: 1, replication: 3 });
    expect(machine.memberById('node1')).toMatchObject({
      number: 1,
      address: 'node1:9000',
      standing: 'active',
    });
    expect(machine.placements().map(({ group, desired }) => [group, desired.voters])).toEqual([
      [0, [1]],
      [1, [1]],
      [2, [1]],
    ]);
    expect([0, 8191, 8192, 16383].map((slot) => machine.groupOfSlot(slot))).toEqual([1, 1, 2, 2]);
  });

  it('is answered as before when it is repeated, and refused when it is another', () => {
    const driver = founded();
    expect(driver.found()).toMatchObject({ node: 1, epoch: 1n });
    for (const other of [{ clusterId: 'other' }, { nonce: Buffer.of(9) }, { node: facts('node9') }]) {
      expect(driver.found(other)).toMatchObject({ reason: ErrorReason.ALREADY_EXISTS });
    }
    expect(driver.machine.cluster?.epoch).toBe(1);
  });

  it.each([
    ['no groups', { groups: [] }, ErrorReason.INVALID_REQUEST],
    ['slots without an owner', { groups: TWO_GROUPS.slice(0, 1) }, ErrorReason.INVALID_REQUEST],
    [
      'slots with two owners',
      { groups: [...TWO_GROUPS, { first: 0, last: 1 }] },
      ErrorReason.INVALID_REQUEST,
    ],
    ['no nonce', { nonce: Buffer.alloc(0) }, ErrorReason.INVALID_REQUEST],
    ['no address', { node: { nodeId: 'node1' } }, ErrorReason.INVALID_REQUEST],
    ['no cluster id', { clusterId: '' }, ErrorReason.INVALID_REQUEST],
    ['no replication', { replication: 0 }, ErrorReason.INVALID_SETTINGS],
    ['a long label', { node: { ...facts('n'), hostLabel: 'x'.repeat(256) } }, ErrorReason.INVALID_REQUEST],
  ])('with %s is refused and changes nothing', (_what, init, reason) => {
    const driver = new ControlDriver();
    expect(driver.found(init)).toMatchObject({ reason });
    driver.machine.save();
    expect(driver.store.rows.size).toBe(0);
  });

  it('comes before everything else', () => {
    const driver = new ControlDriver();
    expect(driver.admit('node2')).toMatchObject({ reason: ErrorReason.NOT_CLUSTERED });
    expect(driver.place(1, [1])).toMatchObject({ reason: ErrorReason.NOT_CLUSTERED });
    expect(driver.leave(1)).toMatchObject({ reason: ErrorReason.NODE_NOT_FOUND });
    expect(driver.machine.groupOfSlot(0)).toBeUndefined();
  });
});

describe('joining', () => {
  it('gives the next number, and a learner of the control group', () => {
    const { machine } = founded('node2', 'node3');
    expect(machine.placement(CONTROL_GROUP)?.desired).toEqual({ voters: [1], learners: [2, 3] });
    expect(machine.placement(1)?.desired).toEqual({ voters: [1], learners: [] });
    expect(machine.cluster?.epoch).toBe(3);
  });

  it('is answered as before when it is repeated, also after a restart', () => {
    const driver = founded('node2');
    driver.restart();
    expect(driver.admit('node2')).toMatchObject({ node: 2, epoch: 2n });
    expect(driver.machine.members()).toHaveLength(2);
  });

  it('is refused under an id that somebody has or had', () => {
    const driver = founded('node2');
    expect(driver.admit('node2', 'another')).toMatchObject({
      reason: ErrorReason.ALREADY_EXISTS,
      subject: 'node2',
    });
    driver.leave(2);
    driver.left(2);
    expect(driver.admit('node2')).toMatchObject({ reason: ErrorReason.ALREADY_EXISTS });
    expect(driver.admit('node3')).toMatchObject({ node: 3 });
  });
});

describe('leaving', () => {
  it('ends once no group wants a replica of the node', () => {
    const driver = founded('node2');
    driver.place(1, [1, 2]);
    expect(driver.left(2)).toMatchObject({ reason: ErrorReason.CONDITION_FAILED });
    driver.leave(2);
    expect(driver.left(2)).toMatchObject({ reason: ErrorReason.CONDITION_FAILED, subject: 'node2' });
    driver.place(1, [1]);
    expect(driver.left(2)).toHaveLength(0);
    expect(driver.machine.member(2)).toMatchObject({ standing: 'left' });
    expect(driver.machine.placement(CONTROL_GROUP)?.desired).toEqual({ voters: [1], learners: [] });
  });

  it('gets a node no replica any more, and leaves those that it has', () => {
    const driver = founded('node2', 'node3');
    driver.place(1, [1, 2]);
    driver.leave(2);
    expect(driver.place(2, [1, 2])).toMatchObject({ reason: ErrorReason.CONDITION_FAILED });
    expect(driver.place(1, [2, 3])).toMatchObject({ replicas: [2n, 3n] });
  });

  it('is not for the last node that stays', () => {
    const driver = founded('node2');
    driver.leave(1);
    expect(driver.leave(2)).toMatchObject({ reason: ErrorReason.CONDITION_FAILED, subject: 'node2' });
  });

  it('leaves as many nodes as there are replicas, where that is asked for', () => {
    const driver = founded('node2', 'node3', 'node4');
    expect(driver.leave(4, true)).toHaveLength(0);
    expect(driver.leave(3, true)).toMatchObject({
      reason: ErrorReason.CONDITION_FAILED,
      subject: 'node3',
      message: expect.stringContaining('2 nodes stay for 3 replicas'),
    });
    expect(driver.machine.member(3)?.standing).toBe('active');
    expect(driver.leave(3)).toHaveLength(0);
  });
});

describe('placing a group', () => {
  it('keeps the replica of a node that stays, and never gives a replica id twice', () => {
    const driver = founded('node2', 'node3');
    expect(driver.place(1, [1, 2])).toMatchObject({ replicas: [1n, 2n] });
    expect(driver.place(1, [3, 1])).toMatchObject({ replicas: [1n, 3n] });
    expect(driver.place(1, [2, 1])).toMatchObject({ replicas: [1n, BigInt(replicaId(2, 1))] });
    driver.restart();
    driver.place(1, [1]);
    expect(driver.place(1, [1, 2])).toMatchObject({ replicas: [1n, BigInt(replicaId(2, 2))] });
    expect(driver.place(2, [1, 2])).toMatchObject({ replicas: [1n, 2n] });
  });

  it('fails when the placement is not the expected one any more, and tells which it is', () => {
    const driver = founded('node2');
    driver.place(1, [1, 2]);
    const stale = driver.run(controlMethod.placeGroup, PlaceGroupSchema, {
      group: 1,
      nodes: [2],
      expectedEpoch: 1n,
    });
    expect(stale).toMatchObject({ reason: ErrorReason.CONDITION_FAILED, currentVersion: 3 });
    // Placing one group does not outdate the placement of another.
    expect(driver.machine.placement(2)?.epoch).toBe(1);
  });

  it('decides who votes in the control group, whose replicas stay where they are', () => {
    const driver = founded('node2', 'node3', 'node4');
    driver.place(CONTROL_GROUP, [1, 2, 3]);
    expect(driver.machine.placement(CONTROL_GROUP)?.desired).toEqual({ voters: [1, 2, 3], learners: [4] });
    driver.place(CONTROL_GROUP, [1, 3, 4]);
    driver.place(CONTROL_GROUP, [1, 2, 4]);
    expect(driver.machine.placement(CONTROL_GROUP)?.desired).toEqual({ voters: [1, 2, 4], learners: [3] });
  });

  it.each([
    ['nowhere', [], ErrorReason.INVALID_REQUEST],
    ['on a node twice', [1, 1], ErrorReason.INVALID_REQUEST],
    ['on too many nodes', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ErrorReason.INVALID_REQUEST],
    ['on a node that there is not', [1, 7], ErrorReason.NODE_NOT_FOUND],
  ])('%s is refused', (_what, nodes, reason) => {
    const driver = founded('node2');
    expect(driver.place(1, nodes)).toMatchObject({ reason });
    expect(driver.place(9, [1])).toMatchObject({ reason: ErrorReason.INVALID_REQUEST });
    expect(driver.machine.cluster?.epoch).toBe(2);
  });
});

describe('the preferred leader', () => {
  it('is one of the voters, and forgotten with its replica', () => {
    const driver = founded('node2');
    const prefer = (node: number) =>
      driver.run(controlMethod.preferLeader, PreferLeaderSchema, { group: 1, node });
    expect(prefer(2)).toMatchObject({ reason: ErrorReason.CONDITION_FAILED });
    driver.place(1, [1, 2]);
    expect(prefer(2)).toHaveLength(0);
    const { epoch } = driver.machine.cluster!;
    driver.restart();
    expect(driver.machine.placement(1)).toMatchObject({ preferredLeader: 2 });
    expect(driver.machine.cluster?.epoch).toBe(epoch);
    driver.place(1, [1]);
    expect(driver.machine.placement(1)).toMatchObject({ preferredLeader: undefined });
    driver.place(1, [1, 2]);
    prefer(2);
    prefer(0);
    expect(driver.machine.placement(1)).toMatchObject({ preferredLeader: undefined });
  });
});

it('a node that was restarted elsewhere tells only what changed', () => {
  const driver = founded('node2');
  const update = { node: 2, address: 'other:9001', version: '1.1.0' };
  expect(driver.run(controlMethod.updateNode, UpdateNodeSchema, update)).toHaveLength(0);
  expect(driver.machine.member(2)).toMatchObject({
    ...facts('node2'),
    address: 'other:9001',
    version: '1.1.0',
  });
  expect(driver.machine.cluster?.epoch).toBe(3);
  driver.run(controlMethod.updateNode, UpdateNodeSchema, update);
  expect(driver.machine.cluster?.epoch).toBe(3);
  expect(driver.run(controlMethod.updateNode, UpdateNodeSchema, { node: 3 })).toMatchObject({
    reason: ErrorReason.NODE_NOT_FOUND,
  });
});

describe('the level', () => {
  const at = (nodeId: string, level: number) => ({ ...facts(nodeId), level });
  const admit = (driver: ControlDriver, nodeId: string, level: number) =>
    driver.run(controlMethod.admitNode, AdmitNodeSchema, {
      node: at(nodeId, level),
      nonce: Buffer.from(nodeId),
    });
  const raise = (driver: ControlDriver, level: number) =>
    driver.run(controlMethod.raiseLevel, RaiseLevelSchema, { level });

  it('is that of the founder, and a node that does not apply it is not admitted', () => {
    const driver = new ControlDriver();
    driver.found({ node: at('node1', 3) });
    expect(driver.machine.cluster?.level).toBe(3);
    expect(admit(driver, 'node2', 2)).toMatchObject({
      reason: ErrorReason.CONDITION_FAILED,
      message: expect.stringContaining('upgrade gomsg on that node'),
    });
    admit(driver, 'node2', 3);
    expect(driver.machine.members().map(({ nodeId, level }) => [nodeId, level])).toEqual([
      ['node1', 3],
      ['node2', 3],
    ]);
  });

  it('is 1 for programs that do not say theirs', () => {
    const { machine } = founded('node2');
    expect(machine.cluster?.level).toBe(1);
    expect(machine.member(2)?.level).toBe(1);
  });

  it('is raised no further than every member applies, and never lowered', () => {
    const driver = founded('node2');
    const update = (node: number, level: number) =>
      driver.run(controlMethod.updateNode, UpdateNodeSchema, { node, level });
    update(1, LEVEL + 1);
    expect(raise(driver, LEVEL + 1)).toMatchObject({
      reason: ErrorReason.CONDITION_FAILED,
      subject: 'node2',
    });
    expect(raise(driver, LEVEL)).toHaveLength(0);
    expect(driver.machine.cluster?.level).toBe(LEVEL);
  });

  it('that this program does not apply stops it: what comes next may be written at it', () => {
    const driver = founded();
    driver.run(controlMethod.updateNode, UpdateNodeSchema, { node: 1, level: LEVEL + 1 });
    expect(() => raise(driver, LEVEL + 1)).toThrow(LevelTooNewError);
  });

  it('of a member cannot fall below that of the cluster, and all of it outlives a restart', () => {
    const driver = new ControlDriver();
    driver.found({ node: at('node1', 3) });
    driver.restart();
    expect(driver.run(controlMethod.updateNode, UpdateNodeSchema, { node: 1, level: 2 })).toMatchObject({
      reason: ErrorReason.CONDITION_FAILED,
    });
    expect(driver.machine.cluster?.level).toBe(3);
    expect(driver.machine.member(1)?.level).toBe(3);
  });
});

it('replication and settings outlive a restart', () => {
  const driver = founded();
  driver.run(controlMethod.setReplication, SetReplicationSchema, { replication: 5 });
  expect(driver.run(controlMethod.setReplication, SetReplicationSchema, { replication: 10 })).toMatchObject({
    reason: ErrorReason.INVALID_SETTINGS,
  });
  const set = (name: string, value?: string) =>
    driver.run(controlMethod.changeSetting, ChangeSettingSchema, {
      name,
      ...(value !== undefined && { value }),
    });
  set('b', 'ß');
  set('a', '');
  set('c', 'gone');
  driver.restart();
  set('c');
  driver.restart();
  expect(driver.machine.cluster?.replication).toBe(5);
  expect(driver.machine.settings()).toEqual([
    ['a', ''],
    ['b', 'ß'],
  ]);
  expect(set('', 'x')).toMatchObject({ reason: ErrorReason.INVALID_REQUEST });
  expect(set('d', 'x'.repeat(65_537))).toMatchObject({ reason: ErrorReason.INVALID_SETTINGS });
});

it('a listener is told of each change once', () => {
  const driver = founded('node2');
  const told: string[] = [];
  driver.machine.listener = {
    founded: () => told.push('founded'),
    memberChanged: (node) => told.push(`member ${node}`),
    placementChanged: (group) => told.push(`placement ${group}`),
    replicationChanged: () => told.push('replication'),
    levelRaised: () => told.push('level'),
    settingChanged: (name) => told.push(`setting ${name}`),
    reloaded: () => told.push('reloaded'),
  };
  driver.admit('node3');
  driver.admit('node3');
  driver.place(1, [1, 3]);
  driver.place(1, [3, 1]);
  driver.leave(2);
  driver.left(2);
  driver.run(controlMethod.setReplication, SetReplicationSchema, { replication: 5 });
  driver.run(controlMethod.changeSetting, ChangeSettingSchema, { name: 'a', value: 'b' });
  driver.machine.load();
  expect(told).toEqual([
    'member 3',
    'placement 0',
    'placement 1',
    'member 2',
    'member 2',
    'placement 0',
    'replication',
    'setting a',
    'reloaded',
  ]);
});

it('lives in the control group alone', () => {
  const commands = [
    {
      method: controlMethod.setReplication,
      payload: new Uint8Array(),
      request: undefined,
      session: undefined,
    },
  ];
  const reasonIn = (group: number) => new GroupState(new ModelStore(), group).apply(1, 1, 1, commands)[0];
  expect(reasonIn(CONTROL_GROUP)).toMatchObject({ reason: ErrorReason.NOT_CLUSTERED });
  expect(reasonIn(1)).toMatchObject({ reason: ErrorReason.METHOD_NOT_FOUND });
});
