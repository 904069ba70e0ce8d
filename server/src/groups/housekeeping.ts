/** What a node looks at now and then, since nothing that happens would tell. */
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { Store } from '../storage/store.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Expiry } from './expiry.ts';
import type { Group } from './group.ts';
import type { Turns } from './turns.ts';

/** How often it is looked whether a checkpoint is due by age, and idle sessions are ended once in so many looks. */
const INTERVAL_MS = 500;
const SESSION_SWEEP_LOOKS = 60;

export interface HousekeepingParts {
  /** All groups of the node, as they are at each moment. */
  readonly groups: readonly Group[];
  readonly store: Store;
  readonly metrics: NodeMetrics;
  readonly expiry: Expiry;
  readonly checkpoints: Checkpoints;
  readonly turns: Turns;
  /** Called after each look. */
  readonly onLooked: () => void;
}

export class Housekeeping {
  readonly #parts: HousekeepingParts;
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { groups, store, metrics, expiry, checkpoints, turns, onLooked } = this.#parts;
    metrics.storage.overlayBytes.set(store.overlayBytes);
    this.#looks++;
    const sweep = this.#looks % SESSION_SWEEP_LOOKS === 0;
    for (const group of groups) {
      if (sweep) expiry.sweepSessions(group);
      expiry.look(group);
    }
    checkpoints.writeIfDue(true);
    // Writes that wait for room are refused once there is none to wait for.
    turns.scheduleWaiting();
    onLooked();
  }
}
