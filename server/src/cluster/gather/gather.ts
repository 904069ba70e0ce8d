/**
 * A call about several groups, answered by the nodes that lead them: each is asked for its groups at once, and answers
 * for those alone. What nobody answered for is asked again of whoever leads then, as long as the caller waits.
 *
 * Only for calls that change nothing: a part whose answer was lost is simply asked again.
 */
import { ErrorReason } from '../../services/errors.ts';
import type { CallContext, Reply, UnaryMethod } from '../../services/method.ts';
import type { Failure } from '../../state/failure.ts';
import { timeLeft } from '../forwarding.ts';
import { LeaderSearch } from '../leader-search.ts';
import type { Leadership, Links } from '../leadership.ts';
import { partContext, partHeaders } from './part.ts';

/** What gathering works with. */
export interface Nodes {
  readonly leadership: Leadership;
  readonly links: Links;
}

export interface Question {
  readonly method: UnaryMethod;
  /** Ids of the groups in question, each once, at least one. */
  readonly groups: readonly number[];
  /** The caller is content with what any replica has. */
  readonly isStale: boolean;
  /** The encoded request for some of the groups. */
  readonly requestFor: (groups: readonly number[]) => Uint8Array;
  readonly context: CallContext;
}

export interface PartAnswer {
  readonly groups: readonly number[];
  readonly response: Uint8Array;
}

/** Hands out the answers for all groups, in no particular order, or the first failure that cannot be helped. */
export function gather(
  question: Question,
  nodes: Nodes,
  done: (answers: readonly PartAnswer[]) => void,
  fail: (failure: Failure) => void,
): void {
  new Gathering(question, nodes, done, fail).ask(question.groups, 1);
}

class Gathering {
  readonly #question: Question;
  readonly #nodes: Nodes;
  readonly #done: (answers: readonly PartAnswer[]) => void;
  readonly #fail: (failure: Failure) => void;
  readonly #answers: PartAnswer[] = [];
  /** Groups that are yet to be answered for. */
  #missing: number;
  #failed = false;
  #search: LeaderSearch | undefined;

  constructor(
    question: Question,
    nodes: Nodes,
    done: (answers: readonly PartAnswer[]) => void,
    fail: (failure: Failure) => void,
  ) {
    this.#question = question;
    this.#nodes = nodes;
    this.#done = done;
    this.#fail = fail;
    this.#missing = question.groups.length;
  }

  ask(groups: readonly number[], tries: number): void {
    const { leadership } = this.#nodes;
    // A replica that refused a stale read has nothing yet; its leader does.
    const isStale = this.#question.isStale && tries === 1;
    for (const [node, part] of byNode(groups, leadership, isStale)) {
      if (this.#failed) return;
      if (node !== undefined) this.#askNode(node, part, tries);
      // Each of them gets its leader at its own time.
      else for (const group of part) this.#askLater([group], tries, leadership.noLeader(group));
    }
  }

  #askNode(node: number, groups: readonly number[], tries: number): void {
    const { method, context, requestFor } = this.#question;
    const { leadership, links } = this.#nodes;
    const request = requestFor(groups);
    const reply: Reply = {
      ok: (response) => this.#take({ groups, response }),
      fail: (failure) => this.#refused(groups, tries, failure),
    };
    if (node === leadership.self) method.handle(request, partContext(context, groups), reply);
    else {
      const headers = partHeaders(groups);
      links.call(
        node,
        { method: method.number, payload: request, timeout_ms: timeLeft(context), headers },
        reply,
      );
    }
  }

  #take(answer: PartAnswer): void {
    if (this.#failed) return;
    this.#answers.push(answer);
    this.#missing -= answer.groups.length;
    if (this.#missing === 0) this.#done(this.#answers);
  }

  #refused(groups: readonly number[], tries: number, failure: Failure): void {
    if (isPassing(failure)) this.#askLater(groups, tries, failure);
    else this.#giveUp(failure);
  }

  #askLater(groups: readonly number[], tries: number, failure: Failure): void {
    if (this.#failed) return;
    const { context } = this.#question;
    const { leadership } = this.#nodes;
    this.#search ??= new LeaderSearch(leadership, context);
    const isOn = this.#search.again(groups[0]!, () => {
      if (!this.#failed) this.ask(groups, tries + 1);
    });
    if (!isOn) this.#giveUp(failure);
  }

  #giveUp(failure: Failure): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#fail(failure);
  }
}

/** Failures that are over once a leader is known and reached. */
export function isPassing({ reason }: Failure): boolean {
  return reason === ErrorReason.NOT_LEADER || reason === ErrorReason.NO_QUORUM;
}

/** The groups by the node that is to answer for them; under undefined those that nobody is known to lead. */
export function byNode(
  groups: readonly number[],
  leadership: Leadership,
  isStale: boolean,
): Map<number | undefined, number[]> {
  const parts = new Map<number | undefined, number[]>();
  for (const group of groups) {
    const node = isStale && leadership.hasReplica(group) ? leadership.self : leadership.leaderOf(group);
    const part = parts.get(node);
    if (part === undefined) parts.set(node, [group]);
    else part.push(group);
  }
  return parts;
}
