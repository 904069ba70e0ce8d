import { KVService } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import type { Workload } from '../workload.ts';
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
      let count = 0;
      return async () => {
        const { value } = await client.call(KVService.method.get, { key: keyOf(count++) });
        if (value.length !== VALUE.length) throw new Error(`a value has ${value.length} bytes`);
        return 1;
      };
    },
  };
}
