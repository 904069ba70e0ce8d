/**
 * Ids of subscriptions: `node~run~number`. The node is in them, so that a member that outlived its subscription
 * can be told from one that is served elsewhere, and the run of the node, so that none comes twice. `~` is in no node id.
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
}
