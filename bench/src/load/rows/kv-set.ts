import { KVService } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import type { Workload } from '../workload.ts';
import { keyOf, VALUE } from './keys.ts';

/** Overwrites of keys in a scattered order: the write path from the client to the disk and back. */
export function kvSet(inFlight: number): Workload {
  return {
    id: `kv-set-${inFlight}`,
    title: `KV set, ${inFlight} in flight`,
    inFlight,
    prepare: async (client) => {
      let count = 0;
      return async () => {
        await client.call(KVService.method.set, { key: keyOf(count++), value: VALUE });
        return 1;
      };
    },
  };
}
