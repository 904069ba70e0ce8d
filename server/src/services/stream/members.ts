/**
 * Sees to it that no member outlives its subscription: whatever the end of a subscription was, its partitions go to
 * others. Only the leader of a group serves subscriptions, which end with its leadership: so whoever comes to lead removes
 * all members that it finds, at once, since what their partitions hold waits for that. A node that runs alone removes
 * those of its earlier runs when the consumer is next joined, and all of them a while after the start.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { LeaveConsumerSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import { internalMethod } from '../../state/internal-methods.ts';
import { isRetryable } from '../errors.ts';
import type { GroupRouter, ServiceGroup } from '../groups.ts';
import { MemberIds } from './member-ids.ts';
import type { StreamHub } from './stream-hub.ts';

/** From the start, or a leave that was refused, to the next look for members without a subscription. */
export const SWEEP_DELAY_MS = 10_000;

export class Members {
  readonly ids: MemberIds;
  readonly #router: GroupRouter;
  readonly #self: string;
  readonly #hubOf: (group: ServiceGroup) => StreamHub;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopListening: readonly (() => void)[];
  #closed = false;

  /** @param self id of this node */
  constructor(router: GroupRouter, self: string, hubOf: (group: ServiceGroup) => StreamHub) {
    this.ids = new MemberIds(self);
    this.#router = router;
    this.#self = self;
    this.#hubOf = hubOf;
    this.#stopListening = router.dataGroups().map((group) =>
      group.onRoleChange((isLeader) => {
        // Behind all that leaders before have written: a member that they took in last would be missed.
        if (isLeader) this.#sweepGroup(group, Consistency.LINEARIZABLE);
      }),
    );
    this.#sweepLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const stop of this.#stopListening) stop();
  }

  /** Proposes that a member leaves; tries again with the next sweep when that is refused. */
  leave(group: ServiceGroup, topic: string, consumer: string, memberId: string): void {
    const request = create(LeaveConsumerSchema, { topic, consumer, memberId });
    group.submit({
      method: internalMethod.leaveConsumer,
      payload: toBinary(LeaveConsumerSchema, request),
      request,
      session: undefined,
      reply: {
        ok: () => {},
        fail: ({ reason }) => {
          if (isRetryable(reason)) this.#sweepLater();
        },
      },
    });
  }

  /** Removes the members of a consumer that this node served before it started anew: nobody else can be waiting. */
  removeEarlierRuns(group: ServiceGroup, topic: string, consumer: string): void {
    group.read(
      Consistency.STALE,
      ({ stream }) => {
        const members = stream.topic(topic)?.consumers.get(consumer)?.members ?? [];
        const gone = members.filter(({ id }) => this.ids.isOfEarlierRun(id));
        for (const { id } of gone) this.leave(group, topic, consumer, id);
      },
      // The join behind it fails for the same reason, and says so.
      () => {},
    );
  }

  /**
   * Removes every member without a subscription. What other nodes left behind is the leader's to remove; what this one
   * did, it sees in any replica.
   */
  sweep(): void {
    for (const group of this.#router.dataGroups()) this.#sweepGroup(group, Consistency.STALE);
  }

  #sweepGroup(group: ServiceGroup, consistency: Consistency): void {
    const hub = this.#hubOf(group);
    const gone: { topic: string; consumer: string; id: string }[] = [];
    group.read(
      consistency,
      ({ stream }) => {
        if (this.#closed) return;
        for (const topic of stream.allTopics()) {
          for (const consumer of topic.consumers.values()) {
            for (const { id } of consumer.members) {
              if (!hub.isLive(id) && (group.isLeader || this.ids.nodeOf(id) === this.#self))
                gone.push({ topic: topic.name, consumer: consumer.name, id });
            }
          }
        }
        for (const { topic, consumer, id } of gone) this.leave(group, topic, consumer, id);
      },
      // A group that cannot be read now is looked at again, save by a node that has no replica of it.
      () => {
        if (group.isLeader) this.#sweepLater();
      },
    );
  }

  #sweepLater(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.sweep();
    }, SWEEP_DELAY_MS);
    this.#timer.unref();
  }
}
