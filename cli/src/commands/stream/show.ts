/** Messages of a topic, a line each. */

import { timestampDate } from '@bufbuild/protobuf/wkt';
import { type StreamMessage, StreamMessageSchema } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { flag } from '../../arguments/spec.ts';
import { messageToJson } from '../../output/json.ts';
import type { Output } from '../../output/output.ts';

export const meta = flag('before each payload its id, time and key, with tabs between', { short: 'm' });

export async function showMessages(
  output: Output,
  topic: string,
  messages: readonly StreamMessage[],
  meta: boolean,
): Promise<void> {
  if (output.isJson) {
    await output.jsonLines(
      messages.map((message) => ({ ...messageToJson(StreamMessageSchema, message), topic })),
    );
  } else {
    await output.contentLines(
      messages,
      ({ payload }) => payload,
      (message) => (meta ? place(topic, message) : ''),
    );
  }
}

function place(topic: string, { partition, offset, publishedAt, key }: StreamMessage): string {
  const time = publishedAt === undefined ? '' : timestampDate(publishedAt).toISOString();
  return `${topic}#${partition}.${offset}\t${time}\t${key}\t`;
}
