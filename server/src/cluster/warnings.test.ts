import { expect, it } from 'vitest';
import { AdmitNodeSchema } from '../gen/gomsg/internal/v1/control_pb.js';
import { controlMethod } from '../state/control/method-numbers.ts';
import { ControlDriver, facts } from '../state/control/testing/control-driver.ts';
import { warningsOf } from './warnings.ts';

/** A cluster of nodes with these labels, its two groups on the first nodes as given. */
function clusterOf(labels: readonly string[], groups: readonly number[][]): ControlDriver {
  const driver = new ControlDriver();
  for (const [position, hostLabel] of labels.entries()) {
    const nodeId = `node${position + 1}`;
    if (position === 0) driver.found({ node: { ...facts(nodeId), hostLabel } });
    else {
      driver.run(controlMethod.admitNode, AdmitNodeSchema, {
        node: { ...facts(nodeId), hostLabel },
        nonce: Buffer.from(nodeId),
      });
    }
  }
  for (const [position, nodes] of groups.entries()) driver.place(position + 1, nodes);
  return driver;
}

const nothingHeld = () => 0;

it('fewer host labels than replicas are told of', () => {
  const { machine } = clusterOf(['a', 'a', 'b'], [[1, 2, 3], [1]]);
  expect(warningsOf(machine, nothingHeld)).toEqual([
    expect.stringMatching(
      /^one group has replicas that share a host label: there are 2 labels for 3 replicas/,
    ),
  ]);
});

it('replicas that share a label although there are enough are to be parted', () => {
  const { machine } = clusterOf(
    ['a', 'a', 'b', 'c'],
    [
      [1, 2, 3],
      [1, 2, 4],
    ],
  );
  expect(warningsOf(machine, nothingHeld)).toEqual([expect.stringMatching(/^2 groups .* parted as soon as/)]);
});

it('nodes without a label fail alone, and nothing is wrong with labels that are kept apart', () => {
  expect(warningsOf(clusterOf(['', '', ''], [[1, 2, 3], [1]]).machine, nothingHeld)).toEqual([]);
  expect(warningsOf(clusterOf(['a', 'b', 'c', 'c'], [[1, 2, 4], [1]]).machine, nothingHeld)).toEqual([]);
});

it('a node that is leaving is told of with what it still has', () => {
  const driver = clusterOf(['', ''], [[1, 2], [1]]);
  driver.leave(2);
  expect(warningsOf(driver.machine, (node) => node * 10)).toEqual([
    'node node2 is leaving: 20 replicas are yet to go',
  ]);
});
