/** What lanes counted, by kind of lane. */
export class Tally {
  operations = 0;
  acknowledged = 0;
  /** Refused for certain. */
  refused = 0;
  /** Without an answer. */
  unknown = 0;

  add(other: Readonly<Tally>): void {
    this.operations += other.operations;
    this.acknowledged += other.acknowledged;
    this.refused += other.refused;
    this.unknown += other.unknown;
  }
}

/** Why calls did not succeed, and how often: for people who wonder about a run. */
export class Complaints {
  readonly #counts = new Map<string, number>();

  take(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    // Numbers, names of keys and the like would make each its own.
    const kind = text
      .replace(/"[^"]*"/g, '…')
      .replace(/\d+/g, '#')
      .slice(0, 160);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  /** The most frequent first. */
  get all(): readonly (readonly [text: string, times: number])[] {
    return [...this.#counts].sort(([, a], [, b]) => b - a);
  }
}
