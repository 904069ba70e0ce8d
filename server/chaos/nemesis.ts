/** Does one fault after the other to the cluster, and sees to it that it comes back from each. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../src/raft/testing/random.ts';
import type { ChaosCluster } from './chaos-cluster.ts';
import { type Fault, type Faults, WrongEndError } from './faults.ts';
import type { FaultKind, Timeline } from './timeline.ts';

/** A cluster that is left alone is healthy by then, also on a busy machine. */
const HEALTHY_MAX_MS = 60_000;
/** After so many rounds the cluster is left alone until it is healthy, and for a while. */
const ROUNDS_TO_A_CALM = 4;
const CALM_MS = 5_000;
const BREATH_MS = 1_500;
const SECOND_FAULT_CHANCE = 0.2;

/** When a fault began that was the only one, for figures of how long it took to go on. */
export interface LoneFault {
  readonly shape: string;
  readonly what: string;
  readonly at_ms: number;
  /** Until the next fault. */
  readonly within_ms: number;
}

export class Nemesis {
  readonly counts = new Map<FaultKind, number>();
  readonly loneFaults: LoneFault[] = [];
  readonly #cluster: ChaosCluster;
  readonly #faults: Faults;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #kinds: readonly FaultKind[];
  readonly #upcoming: FaultKind[] = [];

  constructor(
    cluster: ChaosCluster,
    faults: Faults,
    timeline: Timeline,
    random: Random,
    kinds: readonly FaultKind[],
  ) {
    this.#cluster = cluster;
    this.#faults = faults;
    this.#timeline = timeline;
    this.#random = random;
    this.#kinds = kinds;
  }

  /** Until `stop` is aborted; ends with everything healed. @throws HungError, WrongEndError */
  async run(stop: AbortSignal): Promise<void> {
    for (let round = 1; !stop.aborted; round++) {
      await this.#round(stop);
      if (round % ROUNDS_TO_A_CALM === 0) {
        await this.recovered();
        await rest(CALM_MS, stop);
      } else await rest(BREATH_MS + this.#random.below(BREATH_MS), stop);
    }
  }

  /** One fault from its beginning to its end. */
  async suffer(fault: Fault): Promise<void> {
    const at_ms = performance.now();
    await this.#inject(fault, async () => {
      await pause(fault.hold_ms);
    });
    this.loneFaults.push({
      shape: fault.shape,
      what: fault.what,
      at_ms,
      within_ms: fault.hold_ms + BREATH_MS,
    });
  }

  /** Resolves once the cluster is healthy again. @throws HungError, WrongEndError */
  async recovered(): Promise<void> {
    const began_ms = performance.now();
    this.#checkCollapses();
    await this.#cluster.healthy(HEALTHY_MAX_MS);
    this.#timeline.say(`healthy after ${(performance.now() - began_ms).toFixed(0)} ms`);
  }

  async #round(stop: AbortSignal): Promise<void> {
    const fault = await this.#faults.next(this.#nextKind());
    const second = this.#random.chance(SECOND_FAULT_CHANCE)
      ? await this.#faults.next(this.#nextKind())
      : undefined;
    if (second === undefined || !goTogether(fault.kind, second.kind)) return this.suffer(fault);
    await this.#inject(fault, async () => {
      await rest(this.#random.below(1_000), stop);
      await this.#inject(second, async () => void (await pause(second.hold_ms)));
      await pause(this.#random.below(1_000));
    });
  }

  async #inject(fault: Fault, meanwhile: () => Promise<void>): Promise<void> {
    const healed = this.#timeline.fault(fault.what);
    this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
    await fault.inject();
    await meanwhile();
    await fault.heal();
    healed();
    this.#checkCollapses();
  }

  /** Each has its turn before any has its next, in an order of the seed. */
  #nextKind(): FaultKind {
    if (this.#upcoming.length === 0) {
      const left = [...this.#kinds];
      while (left.length > 0) this.#upcoming.push(...left.splice(this.#random.below(left.length), 1));
    }
    return this.#upcoming.shift()!;
  }

  #checkCollapses(): void {
    for (const { name, collapse } of this.#cluster.nodes) {
      if (collapse === undefined) continue;
      throw new WrongEndError(`${name} ended by itself with ${collapse.code ?? collapse.signal}`);
    }
  }
}

/** Two of a kind would undo each other, and nodes that are killed or paused cannot be stopped in turn. */
function goTogether(one: FaultKind, other: FaultKind): boolean {
  if (one === other || one === 'restart' || other === 'restart') return false;
  return !(one === 'kill' && other === 'pause') && !(one === 'pause' && other === 'kill');
}

async function rest(time_ms: number, stop: AbortSignal): Promise<void> {
  await pause(time_ms, undefined, { signal: stop }).catch(() => {});
}
