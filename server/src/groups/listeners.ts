/** Who wants to be told of something. A listener that throws has a bug, and costs the others nothing. */
export class Listeners<T> {
  readonly #listeners = new Set<(what: T) => void>();
  readonly #what: string;
  readonly #reportBug: (error: unknown, where: string) => void;

  /** `what`: of what they are told, for the report of a bug. */
  constructor(what: string, reportBug: (error: unknown, where: string) => void) {
    this.#what = what;
    this.#reportBug = reportBug;
  }

  /** Returns what ends it. */
  add(listener: (what: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(what: T): void {
    // A copy: who is told may end it, or begin.
    for (const listener of [...this.#listeners]) {
      try {
        listener(what);
      } catch (error) {
        this.#reportBug(error, `telling of ${this.#what}`);
      }
    }
  }
}
