import { create, toBinary } from '@bufbuild/protobuf';
import { KVService, KVServiceSetRequestSchema } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import type { Workload } from '../workload.ts';
import { encodedCall } from './encoded-calls.ts';
import { KEYS, keyOf, VALUE } from './keys.ts';

/** Overwrites of keys in a scattered order: the write path from the client to the disk and back. */
export function kvSet(inFlight: number): Workload {
  return {
    id: `kv-set-${inFlight}`,
    title: `KV set, ${inFlight} in flight`,
    inFlight,
    prepare: async (client) => {
      const set = encodedCall(client, KVService.method.set);
      const keys = Array.from({ length: KEYS }, (_, n) => keyOf(n));
      const requests = keys.map((key) =>
        toBinary(KVServiceSetRequestSchema, create(KVServiceSetRequestSchema, { key, value: VALUE })),
      );
      let count = 0;
      return async () => {
        const n = count++ % KEYS;
        await set(requests[n]!, keys[n]!);
        return 1;
      };
    },
  };
}
