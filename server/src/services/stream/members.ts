/**
 * Sees to it that no member outlives its subscription: whatever the end of a subscription was, its partitions go to
 * others. Only the leader of a group serves subscriptions, which end with its leadership: what a leader does not serve
 * itself is what earlier leaders left behind, or an earlier run of this node. It is removed when the consumer is next joined,
 * since the one who joins waits for its partitions, and otherwise a while later.
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

/**
 * From a leadership gained to the look for members that earlier leaders served. They may have acknowledged something that
 * is still on its way, and those whose consumer nobody joins again are in nobody's way.
 */
export const TAKEOVER_DELAY_MS = 1_000;

export class Members {
  readonly ids: MemberIds;
  readonly #router: GroupRouter;
  readonly #self: string;
  readonly #hubOf: (group: ServiceGroup) => StreamHub;
  #timer: NodeJS.Timeout | undefined;
  /** Groups that this node came to lead, and has not looked through since. */
  readonly #takenOver = new Set<ServiceGroup>();
  #takeoverTimer: NodeJS.Timeout | undefined;
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
        if (isLeader) this.#takeOver(group);
      }),
    );
    this.#sweepLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#takeoverTimer);
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

  /** Removes the members of a consumer whose subscriptions are gone, before another one joins it. */
  removeGone(group: ServiceGroup, topic: string, consumer: string): void {
    group.read(
      Consistency.STALE,
      ({ stream }) => {
        const members = stream.topic(topic)?.consumers.get(consumer)?.members ?? [];
        const gone = members.filter(({ id }) => this.#isGone(id, group));
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

  #takeOver(group: ServiceGroup): void {
    this.#takenOver.add(group);
    this.#takeoverTimer ??= setTimeout(() => {
      this.#takeoverTimer = undefined;
      const groups = [...this.#takenOver];
      this.#takenOver.clear();
      // Behind all that leaders before have written: a member that they took in last would be missed.
      for (const each of groups) if (each.isLeader) this.#sweepGroup(each, Consistency.LINEARIZABLE);
    }, TAKEOVER_DELAY_MS).unref();
  }

  #sweepGroup(group: ServiceGroup, consistency: Consistency): void {
    const gone: { topic: string; consumer: string; id: string }[] = [];
    group.read(
      consistency,
      ({ stream }) => {
        if (this.#closed) return;
        for (const topic of stream.allTopics()) {
          for (const consumer of topic.consumers.values()) {
            for (const { id } of consumer.members) {
              if (this.#isGone(id, group)) gone.push({ topic: topic.name, consumer: consumer.name, id });
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

  #isGone(memberId: string, group: ServiceGroup): boolean {
    if (this.#hubOf(group).isLive(memberId)) return false;
    return group.isLeader || this.ids.nodeOf(memberId) === this.#self;
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
