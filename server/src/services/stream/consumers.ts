/** The methods about consumers and groups: Ack, Seek, GetOffset. */
import { create, toBinary } from '@bufbuild/protobuf';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import { StreamService, StreamServiceGetOffsetResponseSchema } from '../../gen/gomsg/v1/stream_pb.js';
import type { Outcome } from '../../state/failure.ts';
import { isFailure } from '../../state/failure.ts';
import { NO_OFFSET } from '../../state/stream/consumer.ts';
import { consumerNotFound, partitionNotFound, topicNotFound } from '../../state/stream/failures.ts';
import type { TopicView } from '../../state/stream/topic.ts';
import { invalidRequest, unary } from '../decode.ts';
import type { Method } from '../method.ts';
import { proposalOf } from '../proposals.ts';
import { checkConsumer, checkTopic } from './checks.ts';
import type { StreamDeps } from './deps.ts';
import type { TopicDefaults } from './topic-defaults.ts';

const rpc = StreamService.method;

export function consumerMethods({ router }: StreamDeps, defaults: TopicDefaults): Method[] {
  return [
    unary(rpc.ack, (request, call) => {
      checkTopic(request.topic);
      checkConsumer(request.consumer);
      router.groupOf(request.topic).submit(proposalOf(request, call));
    }),

    unary(rpc.seek, (request, call) => {
      checkTopic(request.topic);
      checkConsumer(request.consumer);
      if (request.position?.position.case === undefined) {
        throw invalidRequest('position', 'position must say where to go');
      }
      const group = router.groupOf(request.topic);
      defaults.beforeFirstUse(group, request.topic);
      group.submit(proposalOf(request, call));
    }),

    unary(rpc.getOffset, (request, { reply }) => {
      checkTopic(request.topic);
      checkConsumer(request.consumer);
      router.groupOf(request.topic).read(
        Consistency.LINEARIZABLE,
        ({ stream }) => {
          const topic = stream.topic(request.topic);
          const answer = topic
            ? offsetOf(topic, request.consumer, request.partition)
            : topicNotFound(request.topic);
          if (isFailure(answer)) reply.fail(answer);
          else reply.ok(answer);
        },
        (failure) => reply.fail(failure),
      );
    }),
  ];
}

function offsetOf(topic: TopicView, name: string, number: number): Outcome {
  const partition = topic.partitions[number];
  if (!partition) return partitionNotFound(topic.name, number, topic.partitions.length);
  const committed = topic.consumers.get(name)?.offsets[number] ?? NO_OFFSET;
  if (committed === NO_OFFSET) return consumerNotFound(topic.name, name);
  const offset = Math.max(committed, partition.startOffset);
  return toBinary(
    StreamServiceGetOffsetResponseSchema,
    create(StreamServiceGetOffsetResponseSchema, {
      offset: BigInt(offset),
      lag: BigInt(partition.endOffset - offset),
    }),
  );
}
