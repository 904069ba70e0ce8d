/**
 * Reads the keys of counting clients, linearizably, from whichever node believes that it leads: what it gets may not be
 * behind what was answered before the read began, nor ahead of what was ever asked for.
 */
import { Violation } from '../../../raft/testing/checker.ts';
import { get } from '../calls.ts';
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
    get(node.group(), client.key).then(
      (value) => {
        this.#coverage.readsChecked++;
        const found = Number(value ?? 0);
        if (found < least || found > client.begun) {
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
