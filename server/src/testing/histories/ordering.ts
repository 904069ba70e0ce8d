/**
 * The search for an order: can the operations of one key be put one after the other, each at a moment between its
 * invocation and its end, so that the model gives every answer that was given?
 *
 * After J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects" (1993), with the memory of configurations
 * of G. Lowe, "Testing for linearizability" (2017). Operations of unknown outcome may be left out, which gives three
 * more cuts:
 *
 * - of those that do the same, the one invoked first is used first: it could stand wherever a later one stands;
 * - none is used right before an operation that would do and answer the same without it;
 * - a configuration is not tried when one with the same answers given and the same state, that had used up fewer of
 *   them, is known to lead nowhere: whatever follows from the former follows from the latter.
 */
import type { Operation } from './history.ts';
import type { Model } from './model.ts';

export interface Limits {
  /** On the clock of `now_ms`; the search gives up past it. */
  readonly deadline_ms: number;
  readonly now_ms: () => number;
  /** Configurations kept in memory at most. */
  readonly maxConfigurations: number;
}

export type Ordering<State, Input, Output> =
  | { readonly outcome: 'found' }
  | {
      readonly outcome: 'none';
      /** The longest order that was found. */
      readonly order: readonly Operation<Input, Output>[];
      /** Where that order leads. */
      readonly state: State;
      /** Answered operations one of which had to come next. */
      readonly stuck: readonly Operation<Input, Output>[];
    }
  | { readonly outcome: 'gave up'; readonly reason: string };

/** Looking at the clock costs more than a step. */
const STEPS_BETWEEN_CLOCK_READS = 256;

interface Frame<State> {
  readonly state: State;
  /** The state before the operation of unknown outcome that led here; undefined when an answered one did. */
  readonly without: { readonly state: State } | undefined;
  /** Indexes of answered operations that may come next, then class numbers of unanswered ones. */
  readonly answeredNext: readonly number[];
  readonly unansweredNext: readonly number[];
  /** Of both lists in turn: how many were tried. */
  tried: number;
  /** What led here, to be taken back. */
  readonly answered: number;
  readonly unanswered: number;
  readonly lowBefore: number;
}

const NOTHING = -1;

/** @param operations of one key, in any order */
export function findOrder<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  limits: Limits,
): Ordering<State, Input, Output> {
  return new Search(model, operations, limits).run();
}

class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #limits: Limits;
  /** By invocation. */
  readonly #answered: readonly Operation<Input, Output>[];
  readonly #done: Uint8Array;
  /** All answered operations below are done; none at or above `#high` is. */
  #low = 0;
  #doneCount = 0;
  /** Of the same input, by invocation. */
  readonly #classes: readonly (readonly Operation<Input, Output>[])[];
  readonly #used: Uint32Array;
  readonly #path: Operation<Input, Output>[] = [];
  /** By answers given and state: what was used up of each class. */
  readonly #seen = new Map<string, Uint32Array[]>();
  #configurations = 0;
  #longest:
    | {
        readonly order: readonly Operation<Input, Output>[];
        /** Of the order. */
        readonly answered: number;
        readonly state: State;
        readonly stuck: readonly number[];
      }
    | undefined;

  constructor(
    model: Model<State, Input, Output>,
    operations: readonly Operation<Input, Output>[],
    limits: Limits,
  ) {
    this.#model = model;
    this.#limits = limits;
    const byInvocation = operations.toSorted((a, b) => a.invokedAt_us - b.invokedAt_us);
    this.#answered = byInvocation.filter(({ outcome }) => outcome === 'ok');
    this.#done = new Uint8Array(this.#answered.length);
    const unanswered = byInvocation.filter(
      ({ outcome, input }) => outcome === 'unknown' && !model.isRead(input),
    );
    this.#classes = [...Map.groupBy(unanswered, ({ input }) => model.inputKey(input)).values()];
    this.#used = new Uint32Array(this.#classes.length);
  }

  run(): Ordering<State, Input, Output> {
    const frames = [this.#frame(this.#model.initial, undefined, NOTHING, NOTHING, 0)];
    let steps = 0;
    for (;;) {
      if (this.#doneCount === this.#answered.length) return { outcome: 'found' };
      const gaveUp = this.#gaveUp(++steps);
      if (gaveUp !== undefined) return gaveUp;
      const frame = frames.at(-1);
      if (frame === undefined) break;
      const next = this.#advance(frame);
      if (next !== undefined) {
        frames.push(next);
      } else {
        this.#noteIfLongest(frame);
        this.#takeBack(frame);
        frames.pop();
      }
    }
    const { order, state, stuck } = this.#longest!;
    return { outcome: 'none', order, state, stuck: stuck.map((index) => this.#answered[index]!) };
  }

  #gaveUp(steps: number): Ordering<State, Input, Output> | undefined {
    const { deadline_ms, now_ms, maxConfigurations } = this.#limits;
    if (this.#configurations > maxConfigurations) {
      return { outcome: 'gave up', reason: `${maxConfigurations} configurations were not enough` };
    }
    if (steps % STEPS_BETWEEN_CLOCK_READS === 0 && now_ms() > deadline_ms) {
      return { outcome: 'gave up', reason: 'out of time' };
    }
    return undefined;
  }

  /** The next configuration behind `frame` that is worth a try, with its operation applied. */
  #advance(frame: Frame<State>): Frame<State> | undefined {
    const { state, answeredNext, unansweredNext } = frame;
    while (frame.tried < answeredNext.length + unansweredNext.length) {
      const choice = frame.tried++;
      const isAnswered = choice < answeredNext.length;
      const index = isAnswered ? answeredNext[choice]! : unansweredNext[choice - answeredNext.length]!;
      const operation = isAnswered ? this.#answered[index]! : this.#classes[index]![this.#used[index]!]!;
      const stepped = this.#model.step(state, operation.input, operation.output);
      if (stepped === undefined) continue;
      const stateKey = this.#model.stateKey(stepped.state);
      // What changes nothing and answered nothing only uses itself up.
      if (!isAnswered && stateKey === this.#model.stateKey(state)) continue;
      if (frame.without !== undefined) {
        const anyway = this.#model.step(frame.without.state, operation.input, operation.output);
        if (anyway !== undefined && this.#model.stateKey(anyway.state) === stateKey) continue;
      }

      const lowBefore = this.#low;
      if (isAnswered) this.#markDone(index);
      else this.#used[index]!++;
      this.#path.push(operation);
      if (this.#isNew(stateKey)) {
        return this.#frame(
          stepped.state,
          isAnswered ? undefined : { state },
          isAnswered ? index : NOTHING,
          isAnswered ? NOTHING : index,
          lowBefore,
        );
      }
      this.#undo(isAnswered ? index : NOTHING, isAnswered ? NOTHING : index, lowBefore);
    }
    return undefined;
  }

  #frame(
    state: State,
    without: Frame<State>['without'],
    answered: number,
    unanswered: number,
    lowBefore: number,
  ): Frame<State> {
    // An operation can come next unless another that is not done ended before it began. Equal times are taken as
    // overlapping: the clock could not tell them apart.
    const answeredNext: number[] = [];
    let firstEnd_us = Number.POSITIVE_INFINITY;
    for (let index = this.#low; index < this.#answered.length; index++) {
      const { invokedAt_us, endedAt_us } = this.#answered[index]!;
      if (invokedAt_us > firstEnd_us) break;
      if (this.#done[index] === 1) continue;
      answeredNext.push(index);
      firstEnd_us = Math.min(firstEnd_us, endedAt_us);
    }
    const couldBeNext = ({ invokedAt_us }: Operation<Input, Output>): boolean => invokedAt_us <= firstEnd_us;
    const possible = answeredNext.filter((index) => couldBeNext(this.#answered[index]!));
    const unansweredNext: number[] = [];
    for (const [number, operations] of this.#classes.entries()) {
      const operation = operations[this.#used[number]!];
      if (operation !== undefined && couldBeNext(operation)) unansweredNext.push(number);
    }
    return {
      state,
      without,
      answeredNext: possible,
      unansweredNext,
      tried: 0,
      answered,
      unanswered,
      lowBefore,
    };
  }

  #noteIfLongest({ state, answeredNext }: Frame<State>): void {
    // What was used up in vain at the end is no progress.
    const { order = [], answered = NOTHING } = this.#longest ?? {};
    if (this.#doneCount < answered) return;
    if (this.#doneCount === answered && this.#path.length >= order.length) return;
    this.#longest = { order: [...this.#path], answered: this.#doneCount, state, stuck: answeredNext };
  }

  #markDone(index: number): void {
    this.#done[index] = 1;
    this.#doneCount++;
    while (this.#done[this.#low] === 1) this.#low++;
  }

  #takeBack({ answered, unanswered, lowBefore }: Frame<State>): void {
    if (answered !== NOTHING || unanswered !== NOTHING) this.#undo(answered, unanswered, lowBefore);
  }

  #undo(answered: number, unanswered: number, lowBefore: number): void {
    if (answered !== NOTHING) {
      this.#done[answered] = 0;
      this.#doneCount--;
      this.#low = lowBefore;
    } else {
      this.#used[unanswered]!--;
    }
    this.#path.pop();
  }

  /** Notes the configuration. False when it, or a better one, was seen before. */
  #isNew(stateKey: string): boolean {
    let ahead = '';
    let missing = this.#doneCount - this.#low;
    for (let index = this.#low; missing > 0; index++) {
      const isDone = this.#done[index] === 1;
      ahead += isDone ? '1' : '0';
      if (isDone) missing--;
    }
    const key = `${this.#low} ${ahead} ${stateKey}`;
    const seen = this.#seen.get(key);
    if (seen === undefined) {
      this.#seen.set(key, [this.#used.slice()]);
    } else {
      if (seen.some((used) => used.every((count, number) => count <= this.#used[number]!))) return false;
      seen.push(this.#used.slice());
    }
    this.#configurations++;
    return true;
  }
}
