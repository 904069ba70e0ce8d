/** Load without pause while a cluster grows: who makes calls, and how they fare. */
import type { Client } from '@gomsg/client';

/** One kind of work. It remembers what it was told, and holds the server to it at the end. */
export interface Work {
  readonly name: string;
  /** Puts data there that nobody touches until the end. */
  fill(client: Client): Promise<void>;
  /** Lanes that each make one call after the other until `stop` is aborted. */
  lanes(client: Client, stop: AbortSignal, meter: Meter): readonly Promise<void>[];
  /** Reads everything back, when no lane runs any more. @returns what is wrong, one sentence each */
  verify(client: Client): Promise<Verdict>;
}

export interface Verdict {
  /** What was compared, such as `5,000 keys`. */
  readonly checked: string;
  readonly wrong: readonly string[];
}

/** Sentences about one kind of mistake that are kept: the first ones say what a thousand say. */
const WRONG_MAX = 10;

/** Collects what is wrong. */
export class Findings {
  readonly sentences: string[] = [];
  #count = 0;

  add(sentence: string): void {
    this.#count += 1;
    if (this.#count <= WRONG_MAX) this.sentences.push(sentence);
    else this.sentences[WRONG_MAX] = `and ${this.#count - WRONG_MAX} more`;
  }
}

/** A client that refuses at once is not to be asked without end. */
const PAUSE_AFTER_FAILURE_MS = 20;

/** Counts answers and failures, and how long lanes waited between answers. */
export class Meter {
  /** Calls that were answered. */
  answered = 0;
  failed = 0;
  /** How often each kind of failure was met. */
  readonly failures = new Map<string, number>();
  #longestGap_ms = 0;
  readonly #lastAnswers_ms = new Map<object, number>();

  /**
   * Makes calls until `stop` is aborted, each when the one before is through. A call that throws failed: whether it was
   * applied is unknown to the caller.
   */
  async lane(stop: AbortSignal, call: () => Promise<void>): Promise<void> {
    this.#lastAnswers_ms.set(call, performance.now());
    while (!stop.aborted) {
      try {
        await call();
        this.answered += 1;
        const now_ms = performance.now();
        this.#longestGap_ms = Math.max(this.#longestGap_ms, now_ms - this.#lastAnswers_ms.get(call)!);
        this.#lastAnswers_ms.set(call, now_ms);
      } catch (error) {
        this.failed += 1;
        const kind = error instanceof Error ? error.message.replaceAll(/[0-9]+/g, 'N') : String(error);
        this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE_MS));
      }
    }
    this.#lastAnswers_ms.delete(call);
  }

  /** The longest time that any lane went without an answer since this was last asked. */
  takeLongestGap_ms(): number {
    const now_ms = performance.now();
    const open_ms = [...this.#lastAnswers_ms.values()].map((last_ms) => now_ms - last_ms);
    const longest_ms = Math.max(this.#longestGap_ms, ...open_ms);
    this.#longestGap_ms = 0;
    return longest_ms;
  }
}
