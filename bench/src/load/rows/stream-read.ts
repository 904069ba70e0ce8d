import { StreamService } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { type PipelineClient, pipelineMethod } from '@gomsg/client/pipeline';
import type { Workload } from '../workload.ts';
import { countFields } from './count-fields.ts';
import { PAYLOAD } from './stream-publish.ts';

const TOPIC = 'bench-read';
const MESSAGES = 200_000;
const MESSAGES_PER_CALL = 1_000;

/** `repeated StreamMessage messages` of StreamServiceReadResponse. */
const MESSAGES_FIELD = 1;

/**
 * Stored messages read back in pages, around and around. They are counted in the answers and not decoded: 500,000
 * messages a second leave the client's side 2 µs each, and the row is about the server.
 */
export function streamRead(inFlight: number): Workload {
  return {
    id: 'stream-read',
    title: `stream read back, pages of ${MESSAGES_PER_CALL}, ${inFlight} in flight`,
    inFlight,
    prepare: async (client) => {
      for (let stored = 0; stored < MESSAGES; stored += MESSAGES_PER_CALL) {
        const messages = Array.from({ length: MESSAGES_PER_CALL }, () => ({ payload: PAYLOAD }));
        await client.call(StreamService.method.publishBatch, { topic: TOPIC, messages, partition: 0 });
      }
      let next = 0;
      return async () => {
        const offset = next;
        next = (next + MESSAGES_PER_CALL) % MESSAGES;
        const found = await readPage(client, offset);
        if (found !== MESSAGES_PER_CALL) throw new Error(`a page from ${offset} has ${found} messages`);
        return found;
      };
    },
  };
}

const read = pipelineMethod(StreamService.method.read);

function readPage(client: PipelineClient, offset: number): Promise<number> {
  const request = read.encode({ topic: TOPIC, offset: BigInt(offset), limit: MESSAGES_PER_CALL });
  return new Promise((resolve, reject) => {
    const answered = (response: Uint8Array) => resolve(countFields(response, MESSAGES_FIELD));
    client.submit(read, request, { answered, failed: reject }, undefined, TOPIC);
  });
}
