/** Tells once of every node that falls silent. */
export class NodesDown {
  readonly #isAlive: (node: number) => boolean;
  readonly #listeners = new Set<() => void>();
  #up: ReadonlySet<number> = new Set();

  constructor(isAlive: (node: number) => boolean) {
    this.#isAlive = isAlive;
  }

  /** Calls back when a node that was up is found down. Returns what ends that. */
  onDown(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks at the nodes that there are; one that is no longer among them is not down but gone. */
  look(nodes: readonly number[]): void {
    const up = new Set(nodes.filter((node) => this.#isAlive(node)));
    const anyFell = nodes.some((node) => this.#up.has(node) && !up.has(node));
    this.#up = up;
    if (anyFell) for (const listener of [...this.#listeners]) listener();
  }
}
