/** Workloads as lanes: each makes one step after the other, many lanes run at once. */

/** A promise of the node was broken. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export interface Lane {
  readonly name: string;
  /**
   * One piece of work, from its first call to the last answer, however many restarts of the node lie between.
   * @param closing resolves when no further step is to begin: time to stop waiting for what may not come
   * @throws Violation
   */
  step(closing: Promise<void>): Promise<void>;
}

/** Runs lanes while its gate is open. */
export class LaneRunner {
  /** Rejects with the first error of any lane. */
  readonly failed: Promise<never>;
  #open = Promise.withResolvers<void>();
  #closing = Promise.withResolvers<void>();
  #isOpen = false;
  #over = false;
  #stepping = 0;
  #settled: (() => void)[] = [];
  readonly #ends: Promise<void>[];
  readonly #fail: (error: unknown) => void;

  constructor(lanes: readonly Lane[]) {
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.failed.catch(() => {}); // Looked at by whoever waits for something; nobody may.
    this.#fail = reject;
    this.#ends = lanes.map((lane) => this.#run(lane));
  }

  /** Lets lanes begin steps. */
  open(): void {
    this.#isOpen = true;
    this.#closing = Promise.withResolvers<void>();
    this.#open.resolve();
  }

  /** Lets no lane begin another step. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#open = Promise.withResolvers<void>();
    this.#closing.resolve();
  }

  /** Resolves once no lane is inside a step. The gate is to be closed. */
  async settled(): Promise<void> {
    if (this.#stepping === 0) return;
    await new Promise<void>((resolve) => this.#settled.push(resolve));
  }

  /** Ends all lanes. Those inside a step end with it. */
  async end(): Promise<void> {
    this.#over = true;
    this.open();
    await Promise.all(this.#ends);
  }

  async #run(lane: Lane): Promise<void> {
    for (;;) {
      while (!this.#isOpen) await this.#open.promise;
      if (this.#over) return;
      this.#stepping++;
      try {
        await lane.step(this.#closing.promise);
      } catch (error) {
        const cause = error instanceof Error ? error : new Error(String(error));
        this.#fail(new Violation(`${lane.name}: ${cause.message}`, { cause }));
        return;
      } finally {
        this.#stepping--;
        if (this.#stepping === 0) for (const resolve of this.#settled.splice(0)) resolve();
      }
    }
  }
}
