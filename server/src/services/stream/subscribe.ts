/** Subscribe: checks the request and ties the subscription to its caller. */
import { StreamService, type StreamServiceSubscribeRequest } from '../../gen/gomsg/v1/stream_pb.js';
import { invalidRequest, serverStreaming } from '../decode.ts';
import { GomsgError } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import type { CallContext, Method } from '../method.ts';
import { boundedOr, checkConsumer, checkTopic } from './checks.ts';
import type { StreamDeps } from './deps.ts';
import type { Members } from './members.ts';
import type { StreamHub } from './stream-hub.ts';
import { Subscription, type SubscriptionOptions } from './subscription.ts';
import type { TopicDefaults } from './topic-defaults.ts';

const DEFAULT_CREDIT = 1000;
const MAX_CREDIT = 100_000;

export function subscribeMethod(
  { router }: StreamDeps,
  defaults: TopicDefaults,
  members: Members,
  hubOf: (group: ServiceGroup) => StreamHub,
): Method {
  return serverStreaming(StreamService.method.subscribe, (request, context) => {
    const options = checked(request, members);
    const group = router.groupOf(request.topic);
    return endWithCaller(new Subscription(options, group, hubOf(group), members, defaults), context);
  });
}

function checked(request: StreamServiceSubscribeRequest, members: Members): SubscriptionOptions {
  const { topic, consumer, group } = request;
  checkTopic(topic);
  if (consumer !== '' && group !== '') {
    throw invalidRequest('consumer', 'a subscription has a consumer or a group, not both');
  }
  if (consumer !== '' || group !== '') checkConsumer(consumer || group);
  if (group !== '' && request.partitions.length > 0) {
    throw invalidRequest('partitions', 'a group shares out all partitions: leave partitions empty');
  }
  const credit = boundedOr(request.credit, 'credit', DEFAULT_CREDIT, MAX_CREDIT);
  const name = consumer || group;
  return {
    topic,
    start: request.start,
    partitions: [...new Set(request.partitions)].sort((a, b) => a - b),
    membership:
      name === '' ? undefined : { consumer: name, group: group !== '', memberId: members.ids.next(), credit },
  };
}

/** Ends the subscription when the caller goes away, or with the reason of a drain. */
function endWithCaller(subscription: Subscription, { signal }: CallContext): Subscription {
  const end = () => subscription.end(signal.reason instanceof GomsgError ? signal.reason : undefined);
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return subscription;
}
