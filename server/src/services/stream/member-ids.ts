/**
 * Ids of subscriptions: `node~run~number`. The node and its run are in them, so that a member that outlived its
 * subscription can be told from one that is served elsewhere. `~` is in no node id.
 */
import { randomBytes } from 'node:crypto';

export class MemberIds {
  readonly #node: string;
  /** Differs from start to start of the node. */
  readonly #run = randomBytes(6).toString('hex');
  #last = 0;

  constructor(node: string) {
    this.#node = node;
  }

  next(): string {
    return `${this.#node}~${this.#run}~${++this.#last}`;
  }

  /** Id of the node that serves, or served, the subscription. */
  nodeOf(memberId: string): string {
    return memberId.slice(0, Math.max(0, memberId.indexOf('~')));
  }

  /** Whether the subscription was one of this node before it started anew: it is gone for certain. */
  isOfEarlierRun(memberId: string): boolean {
    const own = `${this.#node}~`;
    return memberId.startsWith(own) && !memberId.startsWith(`${own}${this.#run}~`);
  }
}
