/**
 * Counts up one key in a session, one call after the other, each repeated until it is answered: every answer has to be
 * one more than the last.
 */
import { ErrorReason } from '../../../gen/gomsg/v1/common_pb.js';
import { Violation } from '../../../raft/testing/checker.ts';
import type { Failure } from '../../../state/failure.ts';
import type { Group } from '../../group.ts';
import { increment } from '../calls.ts';
import type { SimulatedHosts } from '../simulated-hosts.ts';
import type { Coverage } from './coverage.ts';

/** Refusals after which a client may try again: some leave it in doubt whether the write was done. */
const RETRYABLE: readonly unknown[] = [
  ErrorReason.NOT_LEADER,
  ErrorReason.NO_QUORUM,
  ErrorReason.OVERLOADED,
  ErrorReason.DRAINING,
  ErrorReason.DISK_FULL,
];

export class CountingClient {
  readonly #hosts: SimulatedHosts;
  readonly #id: number;
  readonly #coverage: Coverage;
  violation: Violation | undefined;
  /** Answered increments. */
  done = 0;
  /** Increments that were sent, answered or not. */
  begun = 0;
  #calling = false;

  constructor(hosts: SimulatedHosts, id: number, coverage: Coverage) {
    this.#hosts = hosts;
    this.#id = id;
    this.#coverage = coverage;
  }

  get key(): string {
    return `count-${this.#id}`;
  }

  get idle(): boolean {
    return !this.#calling || this.violation !== undefined;
  }

  begin(): void {
    if (this.#calling) return;
    this.#calling = true;
    this.begun++;
    this.#try();
  }

  /** A call that its node took to the grave is made again. */
  #try(): void {
    const target = this.#target();
    if (target === undefined) {
      this.#again();
      return;
    }
    const { number, group } = target;
    const session = {
      sessionId: BigInt(this.#id) << 22n,
      sequence: this.begun,
      answeredBelow: this.begun,
      // The first call may find that nobody knows the session yet, however often it is made.
      retry: this.done > 0,
    };
    const gone = this.#hosts.whenDown(number);
    Promise.race([increment(group, this.key, session), gone]).then(
      (value) => {
        if (value === undefined) return this.#again();
        this.done++;
        this.#coverage.countedWrites++;
        if (value !== BigInt(this.done)) this.#broken(`${this.key} is ${value}, not ${this.done}`);
        this.#calling = false;
      },
      (failure: Failure) => {
        if (RETRYABLE.includes(failure.reason)) this.#again();
        else this.#broken(`${this.key}: ${failure.message}`);
      },
    );
  }

  #broken(what: string): void {
    this.violation ??= new Violation(`acknowledged writes apply once: ${what}`);
  }

  #again(): void {
    this.#coverage.callsRepeated++;
    this.#hosts.later(1 + this.#hosts.random.below(4), () => this.#try());
  }

  #target(): { readonly number: number; readonly group: Group } | undefined {
    const up = this.#hosts.nodes.filter((node) => node.up && node.host.group(1) !== undefined);
    const leader = this.#hosts.leaderOf();
    const node = leader ?? (up.length > 0 ? this.#hosts.random.pick(up) : undefined);
    if (node === undefined) return undefined;
    return { number: node.number, group: node.group() };
  }
}
