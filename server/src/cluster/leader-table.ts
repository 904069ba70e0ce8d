/** Who leads which group, as far as this node has heard: from its own replicas and from the reports of other nodes. */

/** A node says that it leads a group in a term. */
export interface Claim {
  readonly group: number;
  readonly term: number;
}

interface Leader {
  readonly node: number;
  readonly term: number;
}

/**
 * Of two claims the one of the higher term holds: a term has one leader at most (paper §5.2). Equal terms are the same
 * claim, repeated. What nobody claims any more is unknown rather than old news.
 */
export class LeaderTable {
  readonly #leaders = new Map<number, Leader>();
  readonly #listeners = new Map<number, Set<() => void>>();

  leaderOf(group: number): number | undefined {
    return this.#leaders.get(group)?.node;
  }

  /** All that a node claims now: what it claimed before and does not any more is taken back. */
  claims(node: number, claims: readonly Claim[]): void {
    const terms = new Map(claims.map(({ group, term }) => [group, term]));
    for (const [group, leader] of this.#leaders) {
      if (leader.node === node && !terms.has(group)) this.#set(group, undefined);
    }
    for (const [group, term] of terms) this.claim(group, { node, term });
  }

  /** A single claim, such as a replica here makes when it hears of its leader. */
  claim(group: number, { node, term }: Leader): void {
    const known = this.#leaders.get(group);
    if (known !== undefined && (known.term > term || (known.term === term && known.node === node))) return;
    this.#set(group, { node, term });
  }

  /**
   * A replica of node `by` knows of no leader in the term: an earlier one leads no longer, nor does `by`, if it was its own
   * replica. Another node may well lead in the term, and just not be heard.
   */
  leaderless(group: number, term: number, by: number): void {
    const known = this.#leaders.get(group);
    if (known === undefined) return;
    if (known.term < term || (known.term === term && known.node === by)) this.#set(group, undefined);
  }

  /** A node is gone: nobody is to be sent to it. */
  forget(node: number): void {
    this.claims(node, []);
  }

  /** Nothing more will be known: calls back whoever listens. */
  end(): void {
    for (const listeners of [...this.#listeners.values()]) for (const listener of [...listeners]) listener();
  }

  onChange(group: number, listener: () => void): () => void {
    const listeners = this.#listeners.get(group) ?? new Set();
    this.#listeners.set(group, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(group) === listeners) this.#listeners.delete(group);
    };
  }

  #set(group: number, leader: Leader | undefined): void {
    const known = this.#leaders.get(group);
    if (leader === undefined) this.#leaders.delete(group);
    else this.#leaders.set(group, leader);
    if (known?.node === leader?.node) return;
    for (const listener of [...(this.#listeners.get(group) ?? [])]) listener();
  }
}
