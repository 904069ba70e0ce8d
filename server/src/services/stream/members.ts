/**
 * Sees to it that no member outlives its subscription: whatever the end of a subscription was, its partitions go to
 * others. A node that is killed leaves its members behind in the replicated state. Its own next run removes them when the
 * consumer is next joined here, and all of them a while after the start; whoever leads the group removes them when the
 * node is found dead, and a while after it came to lead.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { LeaveConsumerSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import { internalMethod } from '../../state/internal-methods.ts';
import { isRetryable } from '../errors.ts';
import type { GroupRouter, ServiceGroup } from '../groups.ts';
import type { StreamNodes } from './deps.ts';
import { MemberIds } from './member-ids.ts';
import type { StreamHub } from './stream-hub.ts';

/** From the start, a leave that was refused or a leadership gained, to the next look for members without a subscription. */
export const SWEEP_DELAY_MS = 10_000;

export class Members {
  readonly ids: MemberIds;
  readonly #router: GroupRouter;
  readonly #nodes: StreamNodes;
  readonly #hubOf: (group: ServiceGroup) => StreamHub;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopListening: readonly (() => void)[];
  #closed = false;

  constructor(router: GroupRouter, nodes: StreamNodes, hubOf: (group: ServiceGroup) => StreamHub) {
    this.ids = new MemberIds(nodes.self);
    this.#router = router;
    this.#nodes = nodes;
    this.#hubOf = hubOf;
    this.#stopListening = router.dataGroups().map((group) =>
      group.onRoleChange((isLeader) => {
        if (isLeader) this.#sweepLater();
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
   * Removes every member without a subscription, unless a living node may serve it. What other nodes left behind is the
   * leader's to remove; what this one did, it sees in any replica.
   */
  sweep(): void {
    for (const group of this.#router.dataGroups()) {
      const hub = this.#hubOf(group);
      const gone: { topic: string; consumer: string; id: string }[] = [];
      group.read(
        Consistency.STALE,
        ({ stream }) => {
          for (const topic of stream.allTopics()) {
            for (const consumer of topic.consumers.values()) {
              for (const { id } of consumer.members) {
                if (this.#isGone(id, hub, group.isLeader))
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
  }

  #isGone(memberId: string, hub: StreamHub, isLeader: boolean): boolean {
    if (hub.isLive(memberId)) return false;
    const node = this.ids.nodeOf(memberId);
    return node === this.#nodes.self || (isLeader && !this.#nodes.isAlive(node));
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
