/** The death of a leader under several cases at once: each waits in its middle until all have come to theirs. */
import type { ClusterServer } from '../server/cluster-server.ts';

/** The killed node is started again so much later: long enough for the others to elect, whatever a start takes. */
const DOWN_MS = 1_000;

type Cluster = Pick<ClusterServer, 'killLeader' | 'healthy'>;

export class LeaderKill {
  readonly #server: Cluster;
  readonly #down_ms: number;
  readonly #killed = Promise.withResolvers<void>();
  #awaited: number;
  #restarted: Promise<void> = Promise.resolve();

  /** `cases` come to their middle, or end before. */
  constructor(server: Cluster, cases: number, down_ms = DOWN_MS) {
    this.#server = server;
    this.#down_ms = down_ms;
    this.#awaited = cases;
    this.#killed.promise.catch(() => {}); // Cases that ended before do not ask.
  }

  /** Resolves once the leader is dead. */
  async arrived(): Promise<void> {
    this.#count();
    return this.#killed.promise;
  }

  /** A case ended and did not come. */
  missed(): void {
    this.#count();
  }

  /** Resolves once all nodes are up again and nothing is missing. */
  async over(): Promise<void> {
    await this.#restarted;
    await this.#server.healthy();
  }

  #count(): void {
    this.#awaited -= 1;
    if (this.#awaited !== 0) return;
    this.#restarted = this.#kill();
    this.#restarted.catch(() => {}); // `over` tells.
  }

  async #kill(): Promise<void> {
    try {
      const start = await this.#server.killLeader();
      this.#killed.resolve();
      await new Promise((resolve) => setTimeout(resolve, this.#down_ms));
      await start();
    } catch (error) {
      this.#killed.reject(error);
      throw error;
    }
  }
}
