import { fromBinary } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { utf8Key } from '../../state/keys.ts';
import { WatchEventType } from '../../state/kv/events.ts';
import { encodeRecord, NEVER_MS } from '../../state/kv/record.ts';
import { ByteWriter } from '../../state/wire.ts';
import {
  encodeKeys,
  encodeLookups,
  encodeScan,
  encodeWatch,
  encodeWatchEvent,
  lookupFieldSize,
} from './encode.ts';

const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
const value = fc.uint8Array({ maxLength: 200 });
const number = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const expiry = fc.oneof(fc.constant(NEVER_MS), fc.integer({ min: 1, max: 8_640_000_000_000_000 }));
const item = fc.record({ key, value, version: number, expiresAt_ms: expiry });
const items = fc.array(item, { maxLength: 6 });
const bytes = fc.uint8Array({ maxLength: 20 });

interface Item {
  key: string;
  value: Uint8Array;
  version: number;
  expiresAt_ms: number;
}

function recordOf({ value, version, expiresAt_ms }: Item): Uint8Array {
  return Uint8Array.from(encodeRecord(new ByteWriter(), version, expiresAt_ms, value));
}

function plain(read: {
  key: string;
  value: Uint8Array;
  version: bigint;
  expiresAt?: kv.KeyValue['expiresAt'];
}) {
  return {
    key: read.key,
    value: Uint8Array.from(read.value),
    version: Number(read.version),
    expiresAt_ms: read.expiresAt ? timestampMs(read.expiresAt) : NEVER_MS,
  };
}

describe('hand-written responses are what the generated code reads', () => {
  it('GetMany', () => {
    fc.assert(
      fc.property(items, fc.array(key, { maxLength: 3 }), (found, missing) => {
        const keys = [...found.map(({ key }) => key), ...missing].map(utf8Key);
        const records = [...found.map(recordOf), ...missing.map(() => undefined)];
        const size = keys.reduce((sum, key, i) => sum + lookupFieldSize(key, records[i]), 0);
        const { entries } = fromBinary(kv.KVServiceGetManyResponseSchema, encodeLookups(keys, records, size));
        expect(entries.filter(({ found }) => found).map(plain)).toEqual(found);
        expect(entries.filter(({ found }) => !found)).toMatchObject(
          missing.map((key) => ({ key, version: 0n })),
        );
      }),
    );
  });

  it('Keys', () => {
    fc.assert(
      fc.property(items, bytes, (items, cursor) => {
        const entries = items.map((item) => ({ key: utf8Key(item.key), record: recordOf(item) }));
        const response = fromBinary(kv.KVServiceKeysResponseSchema, encodeKeys(entries, cursor));
        expect(response.keys).toEqual(items.map(({ key }) => key));
        expect(Uint8Array.from(response.nextCursor)).toEqual(cursor);
      }),
    );
  });

  it('Scan, with and without values', () => {
    fc.assert(
      fc.property(
        items,
        fc.boolean(),
        bytes,
        fc.maxSafeNat(),
        bytes,
        (items, keysOnly, nextCursor, revision, token) => {
          const entries = items.map((item) => ({ key: utf8Key(item.key), record: recordOf(item) }));
          const encoded = encodeScan({ entries, keysOnly, nextCursor, revision, resumeToken: token });
          const response = fromBinary(kv.KVServiceScanResponseSchema, encoded);
          const empty = new Uint8Array();
          expect(response.entries.map(plain)).toEqual(
            items.map((item) => ({ ...item, value: keysOnly ? empty : item.value })),
          );
          expect(response.revision).toBe(BigInt(revision));
          expect(Uint8Array.from(response.nextCursor)).toEqual(nextCursor);
          expect(Uint8Array.from(response.resumeToken)).toEqual(token);
        },
      ),
    );
  });

  it('Watch', () => {
    const { SET, DELETE, EXPIRE } = WatchEventType;
    const events = fc.array(fc.tuple(item, fc.constantFrom(SET, DELETE, EXPIRE)), { maxLength: 5 });
    fc.assert(
      fc.property(
        events,
        fc.boolean(),
        fc.maxSafeNat(),
        bytes,
        (events, subscribed, revision, resumeToken) => {
          const encoded = encodeWatch({
            subscribed,
            events: events.map(([item, type]) =>
              encodeWatchEvent(
                { ...item, key: utf8Key(item.key), type, revision: item.version },
                type === SET,
              ),
            ),
            revision,
            resumeToken,
          });
          const response = fromBinary(kv.KVServiceWatchResponseSchema, encoded);
          expect(response).toMatchObject({ subscribed, revision: BigInt(revision) });
          expect(Uint8Array.from(response.resumeToken)).toEqual(resumeToken);
          expect(response.events.map((event) => event.type)).toEqual(events.map(([, type]) => type));
          expect(response.events.map((event) => plain({ ...event, version: event.revision }))).toEqual(
            events.map(([item, type]) => ({ ...item, value: type === SET ? item.value : new Uint8Array() })),
          );
        },
      ),
    );
  });
});
