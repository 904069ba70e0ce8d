/** Which node a stream tries next: none again at which it failed before the others had their turn. */
import { ErrorReason, type GomsgError } from '../errors.ts';

/** Hints that lead in circles are followed no more often than there are nodes, and a little. */
const FURTHER_HINTS = 2;

export class NextNode {
  /** Where it failed since it was last in place, and how. */
  readonly #failed = new Map<string, GomsgError>();
  #last: string | undefined;
  #hint: string | undefined;
  #failures = 0;

  /** Failures since it was last in place. */
  get failures(): number {
    return this.#failures;
  }

  /** The first node that was asked said who leads: nobody needs to wait. */
  get isFirstHint(): boolean {
    return this.#hint !== undefined && this.#failures === 1;
  }

  /** `candidates`: nodes that may take it, the best first; not empty. */
  of(candidates: readonly string[]): string {
    const hint = this.#hint;
    this.#hint = undefined;
    if (hint !== undefined && this.#failures < candidates.length + FURTHER_HINTS) {
      // A node that refused may lead by now; one that did not answer is not risked.
      if (this.#failed.get(hint)?.reason !== ErrorReason.UNSPECIFIED) return this.#take(hint);
    }
    const untried = candidates.find((address) => !this.#failed.has(address));
    if (untried !== undefined) return this.#take(untried);
    this.#failed.clear();
    return this.#take(candidates.find((address) => address !== this.#last) ?? candidates[0]!);
  }

  failed(error: GomsgError): void {
    this.#failures += 1;
    this.#failed.set(this.#last!, error);
    this.#hint = error.leader?.address;
  }

  /** It is in place. */
  stands(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#failed.clear();
  }

  #take(address: string): string {
    this.#last = address;
    return address;
  }
}
