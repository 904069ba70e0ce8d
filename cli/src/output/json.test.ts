import { create } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  KeyValueSchema,
  KVServiceIncrementResponseSchema,
  KVServiceTTLResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { MessageState, PeekedMessageSchema } from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { StreamPositionSchema } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentFromJson, contentToJson, messageToJson, stringify } from './json.ts';

describe('messages as JSON', () => {
  it('shows text values as text, and leaves out what is unset', () => {
    const message = create(KeyValueSchema, { key: 'name', value: Buffer.from('ålice\n'), version: 7n });
    expect(stringify(messageToJson(KeyValueSchema, message))).toBe(
      '{"key":"name","value":"ålice\\n","version":7}',
    );
  });

  it('shows other values in base64 under a name of its own', () => {
    const message = create(KeyValueSchema, { key: 'k', value: Uint8Array.of(0xff, 0), version: 1n });
    expect(stringify(messageToJson(KeyValueSchema, message))).toBe(
      '{"key":"k","valueBase64":"/wA=","version":1}',
    );
  });

  it('keeps every digit of 64-bit integers', () => {
    const message = create(KVServiceIncrementResponseSchema, { value: -9223372036854775807n, version: 1n });
    expect(stringify(messageToJson(KVServiceIncrementResponseSchema, message))).toBe(
      '{"value":-9223372036854775807,"version":1}',
    );
  });

  it('shows fields at their defaults: every line has the same fields', () => {
    expect(messageToJson(StreamPositionSchema, create(StreamPositionSchema))).toEqual({
      partition: 0,
      offset: 0n,
    });
  });

  it('shows times, durations, enums and maps as the proto JSON mapping does', () => {
    const message = create(PeekedMessageSchema, {
      state: MessageState.IN_FLIGHT,
      headers: { trace: '1' },
      pushedAt: timestampFromMs(1_700_000_000_123),
    });
    expect(messageToJson(PeekedMessageSchema, message)).toMatchObject({
      state: 'MESSAGE_STATE_IN_FLIGHT',
      headers: { trace: '1' },
      pushedAt: '2023-11-14T22:13:20.123Z',
    });
    const ttl = (ms: number) =>
      messageToJson(
        KVServiceTTLResponseSchema,
        create(KVServiceTTLResponseSchema, { ttl: durationFromMs(ms) }),
      );
    expect(ttl(1_500)).toEqual({ ttl: '1.500s' });
    expect(ttl(60_000)).toEqual({ ttl: '60s' });
  });
});

describe('content', () => {
  it('comes back from JSON as it went in, whatever its bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.string().map((text) => new Uint8Array(Buffer.from(text))),
        ),
        (bytes) => {
          const json = JSON.parse(stringify(contentToJson('value', bytes)));
          expect(Buffer.from(contentFromJson('value', json)!)).toEqual(Buffer.from(bytes));
        },
      ),
    );
  });

  it('is missing when neither field is there', () => {
    expect(contentFromJson('value', { key: 'k' })).toBeUndefined();
  });
});
