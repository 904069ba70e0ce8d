/** How long lanes went without a success, in each phase of a run. */
import { type Event, KINDS, type Kind, kindsOf } from './event.ts';

/** What was done to the cluster, and all until the next such thing. */
export interface Phase {
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly beganAt_ms: number;
  /** For each kind the longest time in which some lane had no success. A wait counts where it ended. */
  readonly longest_ms: Record<Kind, number>;
  /** Failures that reached the caller, by their reason. */
  readonly errors: Record<string, number>;
}

export class Waits {
  readonly phases: Phase[] = [];
  readonly #lanes: number;
  /** When each kind of each lane last had a success. */
  readonly #last_ms = new Map<string, number>();

  constructor(lanes: number) {
    this.#lanes = lanes;
    this.begin('steady');
  }

  begin(title: string): void {
    const longest_ms = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
    this.phases.push({ title, beganAt_ms: Date.now(), longest_ms, errors: {} });
  }

  take({ kind, lane, at, ok, reason = '' }: Event): void {
    const phase = this.phases.findLast(({ beganAt_ms }) => beganAt_ms <= at) ?? this.phases[0]!;
    if (!ok) {
      phase.errors[reason] = (phase.errors[reason] ?? 0) + 1;
      return;
    }
    const key = keyOf(kind, lane);
    const last_ms = this.#last_ms.get(key);
    if (last_ms !== undefined) phase.longest_ms[kind] = Math.max(phase.longest_ms[kind], at - last_ms);
    this.#last_ms.set(key, at);
  }

  /** What has had no success in the newest phase yet. */
  missing(): readonly string[] {
    const { beganAt_ms } = this.phases.at(-1)!;
    return Array.from({ length: this.#lanes }, (_, lane) =>
      kindsOf(lane)
        .map((kind) => keyOf(kind, lane))
        .filter((key) => (this.#last_ms.get(key) ?? 0) <= beganAt_ms),
    ).flat();
  }
}

function keyOf(kind: Kind, lane: number): string {
  return `${kind} in lane ${lane}`;
}
