/**
 * Sets keys without a session, each once, and notes what it was told: what was answered has to be there in the end, and
 * what was refused as not done may never appear.
 */
import { ErrorReason } from '../../../gen/gomsg/v1/common_pb.js';
import { Violation } from '../../../raft/testing/checker.ts';
import type { Failure } from '../../../state/failure.ts';
import { set } from '../calls.ts';
import type { SimulatedHosts } from '../simulated-hosts.ts';
import type { Coverage } from './coverage.ts';

/** Refusals that promise that the write was not done. */
const NOT_DONE: readonly unknown[] = [ErrorReason.NOT_LEADER, ErrorReason.OVERLOADED, ErrorReason.DISK_FULL];

export class PlainWriter {
  readonly #hosts: SimulatedHosts;
  readonly #coverage: Coverage;
  readonly #done: string[] = [];
  readonly #refused: string[] = [];
  #next = 1;

  constructor(hosts: SimulatedHosts, coverage: Coverage) {
    this.#hosts = hosts;
    this.#coverage = coverage;
  }

  begin(): void {
    const { random, nodes } = this.#hosts;
    const leading = nodes.filter((node) => node.up && node.host.group(1)?.isLeader === true);
    if (leading.length === 0) return;
    const key = `once-${this.#next++}`;
    set(random.pick(leading).group(), key, 'x').then(
      () => {
        this.#coverage.plainWritesDone++;
        this.#done.push(key);
      },
      ({ reason }: Failure) => {
        const refused = NOT_DONE.includes(reason);
        if (refused) this.#refused.push(key);
        this.#coverage[refused ? 'plainWritesRefused' : 'plainWritesInDoubt']++;
      },
    );
  }

  /** To be called with the keys that the group has in the end. */
  check(has: (key: string) => boolean): void {
    for (const key of this.#done) {
      if (!has(key)) throw new Violation(`no acknowledged write is lost: ${key} is gone`);
    }
    for (const key of this.#refused) {
      if (has(key)) throw new Violation(`a refused write is not done: ${key} is there`);
    }
  }
}
