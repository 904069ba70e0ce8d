import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  StreamServiceAckResponseSchema,
  StreamServicePublishBatchResponseSchema,
  StreamServicePublishResponseSchema,
  StreamServiceReadFromResponseSchema,
  StreamServiceReadResponseSchema,
} from '../../gen/gomsg/v1/stream_pb.js';
import { MessageChunks } from './partition-reader.ts';
import {
  ackResponse,
  publishBatchResponse,
  publishResponse,
  readFromResponse,
  readResponse,
} from './responses.ts';

const partition = fc.nat(1023);
const offset = fc.oneof(fc.nat(300), fc.maxSafeNat());

/** Decodes, having checked that the encoder of the contract writes the very same bytes. */
function decoded<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  const message = fromBinary(schema, bytes);
  expect(Buffer.from(toBinary(schema, message)).equals(bytes)).toBe(true);
  return message;
}

function chunks(...parts: string[]): MessageChunks {
  const messages = new MessageChunks(100, 100_000);
  for (const part of parts) {
    const chunk = Buffer.from(part, 'hex');
    messages.chunks.push(chunk);
    messages.bytes += chunk.length;
  }
  return messages;
}

/** Two encoded `messages` fields: offsets 1 and 2. */
const stored = ['0a021801', '0a021802'];

describe('an answer encoded by hand is what the contract says:', () => {
  it('Publish', () => {
    fc.assert(
      fc.property(fc.constantFrom('t', 'orders/eu', 'x'.repeat(255)), partition, offset, (topic, p, o) => {
        const response = publishResponse(Buffer.from(topic), p, o);
        expect(decoded(StreamServicePublishResponseSchema, response)).toMatchObject({
          messageId: `${topic}#${p}.${o}`,
          partition: p,
          offset: BigInt(o),
        });
      }),
    );
  });

  it('PublishBatch', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(partition, offset)), (positions) => {
        const response = publishBatchResponse(positions.flat());
        expect(decoded(StreamServicePublishBatchResponseSchema, response).positions).toMatchObject(
          positions.map(([p, o]) => ({ partition: p, offset: BigInt(o) })),
        );
      }),
    );
  });

  it('Ack', () => {
    fc.assert(
      fc.property(offset, (o) => {
        const response = decoded(StreamServiceAckResponseSchema, ackResponse(o));
        expect(response.committedOffset).toBe(BigInt(o));
      }),
    );
  });

  it('Read', () => {
    fc.assert(
      fc.property(offset, offset, offset, (next, start, end) => {
        const response = readResponse(chunks(...stored), next, start, end);
        expect(decoded(StreamServiceReadResponseSchema, response)).toMatchObject({
          messages: [{ offset: 1n }, { offset: 2n }],
          nextOffset: BigInt(next),
          startOffset: BigInt(start),
          endOffset: BigInt(end),
        });
      }),
    );
  });

  it('ReadFrom', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (cursor) => {
        const response = decoded(
          StreamServiceReadFromResponseSchema,
          readFromResponse(chunks(...stored), cursor),
        );
        expect(response.messages).toHaveLength(2);
        expect(response.nextCursor).toEqual(cursor);
      }),
    );
    expect(decoded(StreamServiceReadFromResponseSchema, readFromResponse(chunks(), undefined))).toMatchObject(
      {
        messages: [],
        nextCursor: new Uint8Array(),
      },
    );
  });
});
