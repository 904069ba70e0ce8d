import { create, toBinary } from '@bufbuild/protobuf';
import { StreamService, StreamServicePublishRequestSchema } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import type { Workload } from '../workload.ts';
import { encodedCall } from './encoded-calls.ts';

/** Bytes of a message: what the target is stated for. */
export const PAYLOAD = Buffer.alloc(128, 'p');

const TOPIC = 'bench-publish';

/** Messages published one a call, to a topic of one partition. */
export function streamPublish(inFlight: number): Workload {
  return {
    id: `stream-publish-${inFlight}`,
    title: `stream publish 128 B, ${inFlight} in flight`,
    inFlight,
    prepare: async (client) => {
      const publish = encodedCall(client, StreamService.method.publish);
      const request = toBinary(
        StreamServicePublishRequestSchema,
        create(StreamServicePublishRequestSchema, { topic: TOPIC, payload: PAYLOAD }),
      );
      return async () => {
        await publish(request, TOPIC);
        return 1;
      };
    },
  };
}
