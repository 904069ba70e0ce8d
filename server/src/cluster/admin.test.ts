import { describe, expect, it } from 'vitest';
import { ErrorReason } from '../services/errors.ts';
import { ControlDriver } from '../state/control/testing/control-driver.ts';
import { isFailure } from '../state/failure.ts';
import { Admin } from './admin.ts';
import { ControlProposals } from './control/control-proposals.ts';

/** A cluster for three replicas of `count` nodes, of which some are down, and its admin. */
function clusterOf(count: number, down: readonly number[] = []) {
  const driver = new ControlDriver();
  driver.found();
  for (let node = 2; node <= count; node++) driver.admit(`node${node}`);
  const proposals = new ControlProposals({
    submit: ({ method, payload, reply }) => {
      const outcome = driver.machine.apply(
        { method, payload, request: undefined },
        { index: 100, stamp_ms: 1 },
      );
      if (isFailure(outcome)) reply.fail(outcome);
      else reply.ok(outcome);
    },
  });
  const admin = new Admin({
    control: () => driver.machine,
    proposals,
    links: { call: () => ({ cancel: () => {} }) },
    isUp: (node) => !down.includes(node),
    invite: async () => {},
  });
  const standing = (nodeId: string) => driver.machine.memberById(nodeId)?.standing;
  return { admin, standing };
}

const refused = (nodeId: string, message: RegExp) => ({
  reason: ErrorReason.CONDITION_FAILED,
  subject: nodeId,
  message: expect.stringMatching(message),
});

describe('a node leaves', () => {
  it('where the others can take over, also when it is down itself', async () => {
    const { admin, standing } = clusterOf(4, [4]);
    await admin.leave('node4', false);
    expect(standing('node4')).toBe('leaving');
  });

  it('not where groups would have fewer replicas, unless that is asked for', async () => {
    const { admin, standing } = clusterOf(3);
    await expect(admin.leave('node3', false)).rejects.toMatchObject(
      refused('node3', /2 nodes stay for 3 replicas .* join first/),
    );
    expect(standing('node3')).toBe('active');
    await admin.leave('node3', true);
    expect(standing('node3')).toBe('leaving');
  });

  it('not where too few of the others are up, which are named', async () => {
    const { admin, standing } = clusterOf(4, [2]);
    await expect(admin.leave('node3', false)).rejects.toMatchObject(
      refused('node3', /2 nodes are up to hold 3 replicas .* start node2 again/),
    );
    expect(standing('node3')).toBe('active');
    await admin.leave('node3', true);
    expect(standing('node3')).toBe('leaving');
  });

  it('with others down where enough are up', async () => {
    const { admin, standing } = clusterOf(5, [2]);
    await admin.leave('node3', false);
    expect(standing('node3')).toBe('leaving');
  });

  it('only when there is such a node', async () => {
    await expect(clusterOf(4).admin.leave('node9', false)).rejects.toMatchObject({
      reason: ErrorReason.NODE_NOT_FOUND,
      subject: 'node9',
    });
  });
});
