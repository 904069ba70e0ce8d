/** How often things happen in a random run, relative to the other actions: what is rare in one is common in another. */
import type { Random } from './random.ts';

export interface Temper {
  /** Writes become durable. */
  readonly disk: number;
  /** Committed entries are applied. */
  readonly applying: number;
  /** Membership changes. */
  readonly churn: number;
  readonly crashes: number;
  readonly restarts: number;
  readonly cuts: number;
  /** All cuts heal, and disks that stand still go on. */
  readonly healing: number;
  /** Elections out of the blue. */
  readonly elections: number;
  /** A disk stands still. */
  readonly stalls: number;
}

export function randomTemper(random: Random): Temper {
  return {
    disk: random.pick([20, 60, 170]),
    applying: random.pick([20, 120]),
    churn: random.pick([3, 10, 50]),
    crashes: random.pick([0.5, 1, 2, 5]),
    restarts: random.pick([4, 20]),
    cuts: random.pick([0, 0.5, 2]),
    healing: random.pick([0.5, 1, 3]),
    elections: random.pick([0, 2, 10]),
    stalls: random.pick([0, 0, 1]),
  };
}
