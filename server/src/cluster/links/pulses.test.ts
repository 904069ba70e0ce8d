/** Nodes that have nothing to say to each other and let each other hear that they are there. */
import { describe, expect, test, vi } from 'vitest';
import type { Message } from '../../raft/index.ts';
import { type LinkedNode, openNodes, untilDown, WAIT } from './testing/linked-nodes.ts';

const hibernate: Message = { type: 'hibernate', from: 1, to: 2, term: 3, commit: 7 };

describe('a pulse', () => {
  test('is heard, and says nothing', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const heard = (): number => two.links.lastHeard_ms(1) ?? 0;
    const before = heard();
    // The first may be spared: a link has just been heard as it came up.
    await vi.waitFor(() => {
      one.links.pulse();
      expect(heard()).toBeGreaterThan(before);
    }, WAIT);
    expect(two.links.silence_ms(1)).toBeLessThan(WAIT.timeout);
    expect(two.received).toEqual([]);
    expect(two.links.isLinked(1)).toBe(true);
  });

  test('does not follow what was sent since the one before', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    one.links.send(1, hibernate);
    one.links.flush();
    one.links.pulse();
    await vi.waitFor(() => expect(two.received).toEqual([{ group: 1, message: hibernate }]), WAIT);
  });

  test('of a node that nothing was ever heard of: its silence is without end', async () => {
    const [one] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    expect(one.links.silence_ms(9)).toBe(Number.POSITIVE_INFINITY);
    expect(one.links.isLinked(9)).toBe(false);
  });

  test('is not missed alone when the other node ends: the link is gone at once', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    await two.close();
    await untilDown(one, two);
    expect(one.links.isLinked(2)).toBe(false);
    one.links.pulse();
  });
});
