import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamService } from '../../gen/gomsg/v1/stream_pb.js';
import { call } from '../testing/call.ts';
import { StreamNode, type Subscriber, settled } from './testing/stream-node.ts';

const rpc = StreamService.method;
const PARTITIONS = 3;
/** Acknowledgements one message at a time take as many rounds as there are messages: 30 publishes of 12 at most. */
const MAX_ROUNDS = 400;

type Act =
  | { readonly kind: 'publish'; readonly partition: number; readonly count: number }
  | { readonly kind: 'join' }
  | { readonly kind: 'leave'; readonly member: number }
  | { readonly kind: 'ack'; readonly member: number; readonly back: number };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      partition: fc.nat(PARTITIONS - 1),
      count: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'join' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), member: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('ack' as const), member: fc.nat(5), back: fc.nat(3) }),
  },
);

describe('a group with members that come, go and acknowledge at random', () => {
  it('gets every message, in order, and each once a generation', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { maxLength: 30 }),
        fc.integer({ min: 1, max: 8 }),
        async (acts, credit) => {
          const node = new StreamNode();
          const { methods } = node.server;
          await call(methods, rpc.create, { topic: 't', settings: { partitions: PARTITIONS } });
          const everybody: Subscriber[] = [];
          let members: Subscriber[] = [];
          const ends = new Array<number>(PARTITIONS).fill(0);
          const committed = new Array<bigint>(PARTITIONS).fill(0n);

          const ack = async (member: Subscriber, back: number) => {
            for (const [partition, offsets] of heldOffsets(member)) {
              const offset = offsets.at(-1 - back);
              if (offset === undefined) continue;
              const { committedOffset } = await call(methods, rpc.ack, {
                topic: 't',
                consumer: 'g',
                partition,
                offset,
                memberId: member.memberId,
              });
              expect(committedOffset).toBeGreaterThanOrEqual(committed[partition]!);
              committed[partition] = committedOffset;
            }
          };
          const join = async () => {
            const member = node.subscribe({ topic: 't', group: 'g', credit });
            everybody.push(member);
            members.push(member);
            await member.until(({ responses }) => responses.length > 0);
          };

          for (const one of acts) {
            const member = 'member' in one ? members[one.member % Math.max(1, members.length)] : undefined;
            if (one.kind === 'publish') {
              await node.publish('t', new Array<string>(one.count).fill('x'), one.partition);
              ends[one.partition]! += one.count;
            } else if (one.kind === 'join') {
              await join();
            } else if (member && one.kind === 'ack') {
              await ack(member, one.back);
            } else if (member) {
              members = members.filter((other) => other !== member);
              await member.leave();
            }
            await settled();
            for (const each of members) {
              expect(unacknowledged(each, committed)).toBeLessThanOrEqual(credit);
            }
          }

          // Whoever is left acknowledges until nothing is.
          if (members.length === 0) await join();
          for (let rounds = 0, left = true; left; rounds++) {
            expect(rounds).toBeLessThan(MAX_ROUNDS);
            for (const member of members) await ack(member, 0);
            await settled();
            left = committed.some((offset, partition) => offset < ends[partition]!);
          }
          expectInOrder(everybody);
          expect(deliveredPlaces(everybody)).toEqual(ends.map((end) => [...Array(end).keys()]));
          for (const member of members) await member.leave();
          expect(await node.members('t', 'g')).toEqual([]);
          node.server.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** Each member gets the messages of a partition one after the other from where its assignment says. */
function expectInOrder(everybody: readonly Subscriber[]): void {
  const inGeneration = new Set<string>();
  for (const { responses } of everybody) {
    let generation = 0n;
    const next = new Map<number, bigint>();
    for (const { assignment, messages } of responses) {
      if (assignment) {
        generation = assignment.generation;
        next.clear();
        for (const { partition, offset } of assignment.positions) next.set(partition, offset);
      }
      for (const { partition, offset } of messages) {
        expect(offset).toBe(next.get(partition));
        next.set(partition, offset + 1n);
        const place = `${generation}/${partition}/${offset}`;
        expect(inGeneration.has(place), place).toBe(false);
        inGeneration.add(place);
      }
    }
  }
}

/** By partition that the member holds: the offsets it got since it holds it. */
function heldOffsets({ responses }: Subscriber): Map<number, bigint[]> {
  let held = new Map<number, bigint[]>();
  for (const { assignment, messages } of responses) {
    if (assignment) {
      held = new Map(assignment.positions.map(({ partition }) => [partition, held.get(partition) ?? []]));
    }
    for (const { partition, offset } of messages) held.get(partition)?.push(offset);
  }
  return held;
}

/** Messages that a member got and that are not committed, of the partitions it holds. */
function unacknowledged(member: Subscriber, committed: readonly bigint[]): number {
  let count = 0;
  for (const [partition, offsets] of heldOffsets(member)) {
    count += offsets.filter((offset) => offset >= committed[partition]!).length;
  }
  return count;
}

/** By partition, the offsets that anybody got. */
function deliveredPlaces(everybody: readonly Subscriber[]): number[][] {
  const offsets = Array.from({ length: PARTITIONS }, () => new Set<number>());
  for (const { messages } of everybody) {
    for (const { partition, offset } of messages) offsets[partition]!.add(Number(offset));
  }
  return offsets.map((set) => [...set].sort((a, b) => a - b));
}
