/** KVService over groups that apply at once. */
import { KvMachine } from '../../../state/kv/kv-machine.ts';
import { ModelStore } from '../../../state/testing/model-store.ts';
import { kvMethods } from '../../kv-service.ts';
import type { Method } from '../../method.ts';
import { InstantGroup, InstantRouter } from '../../testing/instant-group.ts';
import type { KvLimits } from '../deps.ts';

export interface KvFixture {
  readonly methods: Method[];
  readonly groups: readonly InstantGroup[];
  readonly machines: readonly KvMachine[];
}

export interface KvFixtureOptions {
  readonly limits?: Partial<KvLimits>;
  /** Position of a key's group: its last digit by default, so that tests can see which group a key is in. */
  readonly pick?: (key: string) => number;
  readonly historyBytes?: number;
}

export function kvFixture(groupCount = 1, options: KvFixtureOptions = {}): KvFixture {
  const machines = Array.from({ length: groupCount }, (_, i) => {
    const machine = new KvMachine(new ModelStore(), i + 1, options.historyBytes);
    machine.load();
    return machine;
  });
  const groups = machines.map((kv, i) => new InstantGroup({ kv }, i + 1));
  const pick = options.pick ?? ((key) => Number(/\d$/.exec(key)?.[0] ?? 0) % groupCount);
  const limits = { maxKeyBytes: 32, maxValueBytes: 1024, maxFrameBytes: 8192, ...options.limits };
  return { methods: kvMethods({ router: new InstantRouter(groups, pick), limits }), groups, machines };
}
