/**
 * How a call that found no leader to take it goes on: it looks again when the leader changes, and after a pause when the
 * one that is known refused, since what is known here may be old news. Leadership may be handed over for longer than a
 * few looks take, so what bounds the search is its time and not their number.
 *
 * A node that is cut off finds no leader however long it looks, and the others may well have one: a caller that can go to
 * them is told at once. An election that is under way is still waited for here: the nodes that elect hear of each other.
 */
import { CUT_OFF_AFTER_MS } from '../groups/timing.ts';
import type { CallContext } from '../services/method.ts';
import type { Leadership } from './leadership.ts';

/** How long a call looks for a leader when its caller sets no deadline: twice the usual election. */
export const LEADER_SEARCH_MS_MAX = 4_000;
/**
 * At least so much before its deadline a call gives the search up, or at half of what is left of a shorter time: its
 * caller is to hear why there is no leader, not that time is up.
 */
export const ANSWER_MS_MIN = 100;
/** The same as a part of the time that the caller gave. */
const ANSWER_SHARE = 0.1;
/** Pause before a look that nothing new is known for. */
export const RETRY_PAUSE_MS = 50;

type Known = Pick<Leadership, 'leaderOf' | 'majoritySilence_ms' | 'onLeaderChange' | 'isOver'>;
type Caller = Pick<CallContext, 'deadline_ms' | 'signal' | 'canGoElsewhere'>;

/** One call's search. Its time begins with the first refusal. */
export class LeaderSearch {
  readonly #leadership: Known;
  readonly #caller: Caller | undefined;
  readonly #endsCutOff: boolean;
  /** On the clock that is never set. */
  #until_ms = 0;

  /**
   * @param caller who waits for the call; undefined = nobody can give it up
   * @param endsCutOff whether the search ends while this node is cut off. Default: as the caller can go elsewhere
   */
  constructor(
    leadership: Known,
    caller: Caller | undefined,
    endsCutOff: boolean = caller?.canGoElsewhere ?? false,
  ) {
    this.#leadership = leadership;
    this.#caller = caller;
    this.#endsCutOff = endsCutOff;
  }

  /**
   * Calls back once, when it is worth another look for the group's leader, or when the caller gives up.
   *
   * @returns false without a callback when the time is over, the caller is gone or had better go elsewhere, or this node
   * stops
   */
  again(group: number, look: () => void): boolean {
    const caller = this.#caller;
    const now_ms = performance.now();
    if (this.#until_ms === 0) this.#until_ms = now_ms + Math.min(LEADER_SEARCH_MS_MAX, timeFor(caller));
    const left_ms = this.#until_ms - now_ms;
    if (left_ms <= 0 || caller?.signal.aborted || this.#leadership.isOver) return false;
    const isKnown = this.#leadership.leaderOf(group) !== undefined;
    const wait_ms = Math.min(left_ms, isKnown ? RETRY_PAUSE_MS : this.#timeUntilCutOff(group));
    if (wait_ms <= 0) return false;
    this.#whenItChanges(group, wait_ms, look);
    return true;
  }

  /** In which time this node is cut off if it hears of nobody; by then it is worth another look. */
  #timeUntilCutOff(group: number): number {
    if (!this.#endsCutOff) return Number.POSITIVE_INFINITY;
    return CUT_OFF_AFTER_MS - this.#leadership.majoritySilence_ms(group);
  }

  #whenItChanges(group: number, wait_ms: number, look: () => void): void {
    const signal = this.#caller?.signal;
    const done = (): void => {
      clearTimeout(timer);
      stopListening();
      signal?.removeEventListener('abort', done);
      look();
    };
    const timer = setTimeout(done, wait_ms);
    const stopListening = this.#leadership.onLeaderChange(group, done);
    signal?.addEventListener('abort', done, { once: true });
  }
}

/** How long a caller can be kept waiting and still be answered in time. */
function timeFor(caller: Pick<Caller, 'deadline_ms'> | undefined): number {
  if (caller?.deadline_ms === undefined) return Number.POSITIVE_INFINITY;
  const left_ms = Math.max(0, caller.deadline_ms - Date.now());
  return left_ms - Math.min(Math.max(ANSWER_MS_MIN, left_ms * ANSWER_SHARE), left_ms / 2);
}
