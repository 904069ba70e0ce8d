/** StreamService: checks requests, finds the group of their topic, proposes or reads, and shapes the answers. */
import type { ServiceGroup } from './groups.ts';
import type { Method } from './method.ts';
import { consumerMethods } from './stream/consumers.ts';
import type { StreamDeps } from './stream/deps.ts';
import { Members } from './stream/members.ts';
import { publishMethods } from './stream/publish.ts';
import { readMethods } from './stream/reads.ts';
import { StreamHub } from './stream/stream-hub.ts';
import { subscribeMethod } from './stream/subscribe.ts';
import { TopicDefaults } from './stream/topic-defaults.ts';
import { topicMethods } from './stream/topics.ts';

export type { StreamDeps, StreamLimits, StreamNodes } from './stream/deps.ts';

export interface StreamServer {
  /** All methods of `gomsg.v1.StreamService`. */
  readonly methods: Method[];
  /**
   * Removes the members of consumers and groups whose subscriptions are gone. Runs by itself a while after the start, and
   * after this node came to lead a group; a cluster calls it too when a node is found dead.
   */
  removeAbandonedMembers(): void;
  /** Stops what runs by itself. Subscriptions end with their calls. */
  close(): void;
}

export function streamServer(deps: StreamDeps): StreamServer {
  const hubs = new WeakMap<ServiceGroup, StreamHub>();
  const hubOf = (group: ServiceGroup): StreamHub => {
    const known = hubs.get(group);
    if (known !== undefined) return known;
    const hub = new StreamHub();
    hubs.set(group, hub);
    return hub;
  };
  const defaults = new TopicDefaults(deps.topicDefaults);
  const members = new Members(deps.router, deps.nodes.self, hubOf);
  return {
    methods: [
      ...topicMethods(deps, defaults),
      ...publishMethods(deps, defaults),
      ...readMethods(deps),
      ...consumerMethods(deps, defaults),
      subscribeMethod(deps, defaults, members, hubOf),
    ],
    removeAbandonedMembers: () => members.sweep(),
    close: () => members.close(),
  };
}
