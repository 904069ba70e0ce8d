/**
 * Reads the keys of counting clients, linearizably, from whichever node believes that it leads: what it gets may not be
 * behind what was answered before the read began, nor ahead of what was ever asked for.
 */

import { Consistency } from '../../../gen/gomsg/v1/common_pb.js';
import { Violation } from '../../../raft/testing/checker.ts';
import { recordValue } from '../../../state/kv/record.ts';
import type { Group } from '../../group.ts';
import type { SimulatedHosts } from '../simulated-hosts.ts';
import type { CountingClient } from './counting-client.ts';
import type { Coverage } from './coverage.ts';

export class ReadingClient {
  readonly #hosts: SimulatedHosts;
  readonly #counting: readonly CountingClient[];
  readonly #coverage: Coverage;
  violation: Violation | undefined;

  constructor(hosts: SimulatedHosts, counting: readonly CountingClient[], coverage: Coverage) {
    this.#hosts = hosts;
    this.#counting = counting;
    this.#coverage = coverage;
  }

  begin(): void {
    const { random, nodes } = this.#hosts;
    const leading = nodes.filter((node) => node.up && node.host.group(1)?.isLeader === true);
    if (leading.length === 0) return;
    const node = random.pick(leading);
    const client = random.pick(this.#counting);
    const least = client.done;
    count(node.group(), client.key).then(
      (found) => {
        this.#coverage.readsChecked++;
        if (!(found >= least && found <= client.begun)) {
          this.violation ??= new Violation(
            `linearizable reads: ${client.key} is ${found} at node ${node.number}, after ${least} and before ${client.begun} were counted`,
          );
        }
      },
      // Refused: nothing was promised.
      () => {},
    );
  }
}

/** What a key has counted up to: 0 when it is not there. */
function count(group: Group, key: string): Promise<number> {
  return new Promise((resolve, reject) => {
    group.read(
      Consistency.LINEARIZABLE,
      ({ kv }, now_ms) => {
        const record = kv.get(key, now_ms);
        resolve(record === undefined ? 0 : Number(Buffer.from(recordValue(record)).toString()));
      },
      reject,
    );
  });
}
