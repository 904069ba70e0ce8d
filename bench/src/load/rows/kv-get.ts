import { create, toBinary } from '@bufbuild/protobuf';
import { KVService, KVServiceGetRequestSchema } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import type { Workload } from '../workload.ts';
import { encodedCall } from './encoded-calls.ts';
import { KEYS, keyOf, VALUE } from './keys.ts';

const KEYS_PER_CALL = 1_000;

/** Linearizable reads of keys that exist, in a scattered order. */
export function kvGet(inFlight: number): Workload {
  return {
    id: `kv-get-${inFlight}`,
    title: `KV get, ${inFlight} in flight`,
    inFlight,
    prepare: async (client) => {
      for (let from = 0; from < KEYS; from += KEYS_PER_CALL) {
        const pairs = Array.from({ length: KEYS_PER_CALL }, (_, i) => ({
          key: keyOf(from + i),
          value: VALUE,
        }));
        await client.call(KVService.method.setMany, { entries: pairs });
      }
      const get = encodedCall(client, KVService.method.get);
      const keys = Array.from({ length: KEYS }, (_, n) => keyOf(n));
      const requests = keys.map((key) =>
        toBinary(KVServiceGetRequestSchema, create(KVServiceGetRequestSchema, { key })),
      );
      let count = 0;
      return async () => {
        const n = count++ % KEYS;
        const bytes = await get(requests[n]!, keys[n]!);
        if (bytes < VALUE.length) throw new Error(`an answer has ${bytes} bytes, fewer than a value`);
        return 1;
      };
    },
  };
}
