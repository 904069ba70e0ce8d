import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  StreamMessageSchema,
  StreamServicePublishBatchRequestSchema,
  StreamServicePublishRequestSchema,
} from '../../gen/gomsg/v1/stream_pb.js';
import { msToTimestamp } from '../durations.ts';
import { MAX_BATCH_MESSAGES } from './limits.ts';
import { messageBytes, PendingRow, stampField } from './pending-row.ts';
import { MalformedRequestError, PublishScan, TooManyMessagesError } from './publish-scan.ts';
import { decodeMessages } from './testing/commands.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const headers = fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true });
const publication = fc.record({ payload: fc.uint8Array({ maxLength: 300 }), key: text, headers });
const stamp = fc.oneof(fc.nat(), fc.integer({ min: 0, max: 4_000_000_000_000 }));
const offset = fc.oneof(fc.nat(300), fc.maxSafeNat());

/** The bytes as transports hand them out: a part of a larger buffer, which is then used again. */
function asPart(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('before'), bytes, Buffer.from('behind')]).subarray(6, 6 + bytes.length);
}

/** The publications of a scan as they would be stored and read again. */
function stored(scan: PublishScan, partition: number, offsetOfFirst: number, stamp_ms: number) {
  const row = new PendingRow();
  row.begin(offsetOfFirst);
  const field = stampField(stamp_ms);
  for (let i = 0; i < scan.count; i++) {
    const at = offsetOfFirst + i;
    row.append(scan, i, partition, at, field, messageBytes(scan, i, partition, at, field));
  }
  return decodeMessages(Uint8Array.from(row.view()));
}

describe('the scan of a Publish', () => {
  it('finds what a decoder finds, and stores a message that decodes to it', () => {
    const scan = new PublishScan();
    fc.assert(
      fc.property(
        publication,
        fc.record({
          topic: text,
          partition: fc.option(fc.nat(1023), { nil: undefined }),
          expectedOffset: fc.option(fc.maxSafeNat().map(BigInt), { nil: undefined }),
        }),
        fc.nat(1023),
        offset,
        stamp,
        (message, rest, partition, at, stamp_ms) => {
          const request = create(StreamServicePublishRequestSchema, { ...message, ...rest });
          scan.publish(asPart(toBinary(StreamServicePublishRequestSchema, request)));
          expect(scan.topic).toBe(rest.topic);
          expect(scan.partition).toBe(rest.partition ?? -1);
          expect(scan.expectedOffset).toBe(
            rest.expectedOffset === undefined ? -1 : Number(rest.expectedOffset),
          );
          expect(stored(scan, partition, at, stamp_ms)).toEqual([
            create(StreamMessageSchema, {
              ...message,
              partition,
              offset: BigInt(at),
              publishedAt: msToTimestamp(stamp_ms),
            }),
          ]);
        },
      ),
    );
  });

  it('accepts fields in any order, unknown ones, and the last of a repeated one', () => {
    const scan = new PublishScan();
    const parts = [
      { payload: Buffer.from('first') },
      { key: 'k' },
      { topic: 'a' },
      { payload: Buffer.from('second'), topic: 'b' },
      { headers: { h: '1' } },
      { partition: 3 },
    ].map((part) =>
      toBinary(StreamServicePublishRequestSchema, create(StreamServicePublishRequestSchema, part)),
    );
    const unknown = Buffer.from('f80101f9010102030405060708fa0103616263fd0101020304', 'hex');
    const request = Buffer.concat([...parts.slice(0, 3), unknown, ...parts.slice(3)]);
    scan.publish(request);
    const decoded = fromBinary(StreamServicePublishRequestSchema, new Uint8Array(request));
    expect(scan.topic).toBe(decoded.topic);
    expect(scan.partition).toBe(decoded.partition);
    expect(stored(scan, 0, 0, 0)).toMatchObject([
      { payload: decoded.payload, key: decoded.key, headers: decoded.headers },
    ]);
  });

  it('knows the topic again without taking the memory of an earlier request for it', () => {
    const scan = new PublishScan();
    const encoded = (topic: string) =>
      asPart(
        toBinary(StreamServicePublishRequestSchema, create(StreamServicePublishRequestSchema, { topic })),
      );
    const first = encoded('one');
    scan.publish(first);
    expect(scan.topic).toBe('one');
    first.fill(0x78);
    for (const topic of ['xxx', 'one', 'two', 'one', 'on', 'ones']) {
      scan.publish(encoded(topic));
      expect(scan.topic).toBe(topic);
    }
  });

  it('refuses every request that is cut off, but where it is cut between two fields', () => {
    const whole = toBinary(
      StreamServicePublishRequestSchema,
      create(StreamServicePublishRequestSchema, {
        topic: 'topic',
        payload: new Uint8Array(200),
        key: 'key',
        headers: { name: 'value' },
        partition: 300,
      }),
    );
    const scan = new PublishScan();
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.subarray(0, length);
      let decodes = true;
      try {
        fromBinary(StreamServicePublishRequestSchema, cut);
      } catch {
        decodes = false;
      }
      if (decodes) expect(() => scan.publish(cut), `${length} bytes`).not.toThrow();
      else expect(() => scan.publish(cut), `${length} bytes`).toThrow(MalformedRequestError);
    }
  });

  it('ends on any bytes, in a result or in a typed error', () => {
    const scan = new PublishScan();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, batch) => {
        try {
          if (batch) scan.publishBatch(bytes);
          else scan.publish(bytes);
          for (let i = 0; i < scan.count; i++) expect(scan.bytesOf(i)).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedRequestError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses texts that are not UTF-8: no subscriber could decode them', () => {
    const scan = new PublishScan();
    for (const request of ['0a01ff', '1a01c3', '22060a0161120180']) {
      expect(() => scan.publish(Buffer.from(request, 'hex'))).toThrow(MalformedRequestError);
    }
  });
});

describe('the scan of a PublishBatch', () => {
  it('finds what a decoder finds', () => {
    const scan = new PublishScan();
    fc.assert(
      fc.property(fc.array(publication, { maxLength: 20 }), offset, (messages, at) => {
        fc.pre(at + messages.length <= Number.MAX_SAFE_INTEGER);
        const request = create(StreamServicePublishBatchRequestSchema, {
          topic: 't',
          messages,
          partition: 7,
        });
        scan.publishBatch(asPart(toBinary(StreamServicePublishBatchRequestSchema, request)));
        expect([scan.topic, scan.partition, scan.count]).toEqual(['t', 7, messages.length]);
        expect(stored(scan, 7, at, 1000)).toEqual(
          messages.map((message, i) =>
            create(StreamMessageSchema, {
              ...message,
              partition: 7,
              offset: BigInt(at + i),
              publishedAt: msToTimestamp(1000),
            }),
          ),
        );
      }),
    );
  });

  it('refuses more messages than the contract allows', () => {
    const scan = new PublishScan();
    const item = Buffer.from([0x12, 0]);
    const of = (count: number) => Buffer.concat(new Array<Buffer>(count).fill(item));
    scan.publishBatch(of(MAX_BATCH_MESSAGES));
    expect(scan.count).toBe(MAX_BATCH_MESSAGES);
    expect(() => scan.publishBatch(of(MAX_BATCH_MESSAGES + 1))).toThrow(TooManyMessagesError);
  });

  it('refuses a message that reaches behind its own end', () => {
    // A message of two bytes whose payload says that it has three.
    expect(() => new PublishScan().publishBatch(Buffer.from('12020a0361626300', 'hex'))).toThrow(
      MalformedRequestError,
    );
  });
});
