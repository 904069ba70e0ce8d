/** Calls of a group as a service makes them. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import {
  KVServiceIncrementRequestSchema,
  KVServiceIncrementResponseSchema,
  KVServiceSetRequestSchema,
} from '../../gen/gomsg/v1/kv_pb.js';
import type { SessionCall } from '../../services/method.ts';
import { kvMethod } from '../../state/kv/method-numbers.ts';
import type { Group } from '../group.ts';

export function submit(
  group: Group,
  method: number,
  payload: Uint8Array,
  session?: SessionCall,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    group.submit({ method, payload, request: undefined, session, reply: { ok: resolve, fail: reject } });
  });
}

export function setRequest(key: string, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return toBinary(KVServiceSetRequestSchema, create(KVServiceSetRequestSchema, { key, value: bytes }));
}

export function set(group: Group, key: string, value: string | Uint8Array): Promise<Uint8Array> {
  return submit(group, kvMethod.set, setRequest(key, value));
}

export async function increment(group: Group, key: string, session?: SessionCall): Promise<bigint> {
  const request = create(KVServiceIncrementRequestSchema, { key });
  const payload = toBinary(KVServiceIncrementRequestSchema, request);
  const response = await submit(group, kvMethod.increment, payload, session);
  return fromBinary(KVServiceIncrementResponseSchema, response).value;
}

export function get(group: Group, key: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    group.read(
      Consistency.LINEARIZABLE,
      ({ kv }, now_ms) => {
        const record = kv.get(key, now_ms);
        resolve(record && Buffer.from(record).toString('latin1'));
      },
      reject,
    );
  });
}
