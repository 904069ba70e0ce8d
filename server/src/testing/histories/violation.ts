/** What a checker found to be against a promise. */
export interface Violation {
  /** The promise, in a few words: the same for all violations of it. */
  readonly rule: string;
  /** What shows it, for people. */
  readonly detail: string;
}

/** One broken thing often breaks a thousand others: so many are enough to see what it is. */
const MAX_VIOLATIONS = 100;

/** Gathers what was found, within a bound. */
export class Findings {
  readonly #violations: Violation[] = [];

  add(rule: string, detail: string): void {
    if (this.#violations.length < MAX_VIOLATIONS) this.#violations.push({ rule, detail });
  }

  get violations(): readonly Violation[] {
    return this.#violations;
  }
}
