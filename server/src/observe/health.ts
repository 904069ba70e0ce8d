/** How the node is doing, for `/healthz`, `/readyz`, gRPC health and the cluster's Health call. */

/**
 * - `starting`: recovering the log, opening the store, finding the cluster.
 * - `serving`: takes calls.
 * - `draining`: finishes what it took and takes nothing new. Only `failed` follows.
 * - `failed`: a write or sync failed; the process is about to end. Nothing follows.
 */
export type HealthState = 'starting' | 'serving' | 'draining' | 'failed';

/** One thing that was looked at, such as `log`, `storage`, `disk`, `memory` or `consensus`. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, for people. */
  readonly detail: string;
}

export interface HealthReport {
  readonly state: HealthState;
  /** Should the process be left alone (true) or restarted (false)? `/healthz`. */
  readonly live: boolean;
  /** Should calls be sent here? True while serving with every check well. `/readyz`, gRPC health. */
  readonly ready: boolean;
  /** Why it is not ready; empty when it is. */
  readonly reasons: readonly string[];
  readonly checks: readonly HealthCheck[];
}

const NEXT: Readonly<Record<HealthState, readonly HealthState[]>> = {
  starting: ['serving', 'draining', 'failed'],
  serving: ['draining', 'failed'],
  draining: ['failed'],
  failed: [],
};

/** One per node. Parts report their checks; transports read the report or subscribe to it. */
export class Health {
  #state: HealthState = 'starting';
  #stateReason = 'starting';
  readonly #checks = new Map<string, HealthCheck>();
  readonly #listeners = new Set<(report: HealthReport) => void>();

  serving(): void {
    this.#enter('serving', '');
  }

  draining(reason: string): void {
    this.#enter('draining', reason);
  }

  failed(reason: string): void {
    this.#enter('failed', reason);
  }

  /** Sets the outcome of a check; a check that was never set is not part of the report. */
  check(name: string, ok: boolean, detail: string): void {
    const earlier = this.#checks.get(name);
    if (earlier?.ok === ok && earlier.detail === detail) return;
    this.#checks.set(name, Object.freeze({ name, ok, detail }));
    this.#announce();
  }

  report(): HealthReport {
    const checks = [...this.#checks.values()];
    const reasons = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    if (this.#state !== 'serving') reasons.unshift(`${this.#state}: ${this.#stateReason}`);
    return {
      state: this.#state,
      live: this.#state !== 'failed',
      ready: reasons.length === 0,
      reasons,
      checks,
    };
  }

  /** Calls the listener at every change from now on. Returns the way to stop that. */
  onChange(listener: (report: HealthReport) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** A step that cannot follow is ignored: a failure during a drain must not be undone by its last step. */
  #enter(state: HealthState, reason: string): void {
    if (!NEXT[this.#state].includes(state)) return;
    this.#state = state;
    this.#stateReason = reason;
    this.#announce();
  }

  #announce(): void {
    const report = this.report();
    for (const listener of [...this.#listeners]) listener(report);
  }
}
