/**
 * What clients of a run called and what they were told, with the times between which each call must have taken effect.
 *
 * Times are whole microseconds of one monotonic clock. Programs on one machine may share a history, since that clock
 * is the machine's.
 */

/**
 * - `ok`: answered, and the answer is known.
 * - `fail`: refused for certain; it never took effect and never will.
 * - `unknown`: no answer. It took effect at some moment after its beginning, or never.
 */
export type Outcome = 'ok' | 'fail' | 'unknown';

export interface Operation<Input, Output> {
  readonly client: number;
  /** What the history is split by: no operation concerns two keys. */
  readonly key: string;
  readonly input: Input;
  readonly outcome: Outcome;
  /** Of `ok` alone. */
  readonly output?: Output;
  readonly invokedAt_us: number;
  /** Of `unknown`: Infinity. */
  readonly endedAt_us: number;
}

export type History<Input, Output> = readonly Operation<Input, Output>[];

/** The history holds as much as it may; what comes now cannot be judged. */
export class HistoryFull extends Error {
  override readonly name = 'HistoryFull';
}

/** One call under way. It ends once; further endings are refused. */
export interface OpenCall<Output> {
  ok(output: Output): void;
  fail(): void;
  unknown(): void;
}

export interface HistoryOptions {
  /** Default 1,000,000. */
  readonly maxOperations?: number;
  /** The clock. Default: the machine's monotonic one. */
  readonly now_us?: () => number;
}

const DEFAULT_MAX_OPERATIONS = 1_000_000;

export function monotonicTime_us(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** Gathers a history while clients run. */
export class HistoryRecorder<Input, Output> {
  readonly #ended: Operation<Input, Output>[] = [];
  readonly #open = new Set<Operation<Input, Output>>();
  readonly #maxOperations: number;
  readonly #now_us: () => number;

  constructor({ maxOperations = DEFAULT_MAX_OPERATIONS, now_us = monotonicTime_us }: HistoryOptions = {}) {
    this.#maxOperations = maxOperations;
    this.#now_us = now_us;
  }

  /** A client is about to call: to be told before the request leaves. @throws HistoryFull */
  invoke(client: number, key: string, input: Input): OpenCall<Output> {
    if (this.#ended.length + this.#open.size >= this.#maxOperations) {
      throw new HistoryFull(`the history has ${this.#maxOperations} operations already`);
    }
    const begun: Operation<Input, Output> = {
      client,
      key,
      input,
      outcome: 'unknown',
      invokedAt_us: this.#now_us(),
      endedAt_us: Number.POSITIVE_INFINITY,
    };
    this.#open.add(begun);
    const end = (operation: Operation<Input, Output>): void => {
      if (!this.#open.delete(begun)) throw new Error(`a call of client ${client} on ${key} ended twice`);
      this.#ended.push(operation);
    };
    return {
      ok: (output) => end({ ...begun, outcome: 'ok', output, endedAt_us: this.#now_us() }),
      fail: () => end({ ...begun, outcome: 'fail', endedAt_us: this.#now_us() }),
      unknown: () => end(begun),
    };
  }

  /** Everything so far, by the time of invocation; what is still under way is `unknown`. */
  history(): History<Input, Output> {
    return [...this.#ended, ...this.#open].sort((a, b) => a.invokedAt_us - b.invokedAt_us);
  }
}

/** A line of JSON for each operation: to keep a history, or to hand it to the checker in Go. */
export function toJsonLines<Input, Output>(history: History<Input, Output>): string {
  return history
    .map((operation) => {
      const { endedAt_us, ...rest } = operation;
      // JSON has no infinity; without an end there is none.
      return `${JSON.stringify(Number.isFinite(endedAt_us) ? operation : rest)}\n`;
    })
    .join('');
}

/** @throws SyntaxError when a line is not JSON. Operations are taken as they are. */
export function fromJsonLines<Input, Output>(text: string): History<Input, Output> {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ endedAt_us: Number.POSITIVE_INFINITY, ...JSON.parse(line) }));
}
