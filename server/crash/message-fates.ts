/** What became of every message of a queue, by the lane that pushed it and its number there. */
import { Violation } from './lanes.ts';

const PUSHED = 1;
const HELD = 2;
const SETTLED = 4;
const MAYBE_SETTLED = 8;

export class MessageFates {
  readonly #queue: string;
  readonly #lanes = new Map<string, number[]>();
  /** Pushes that were answered, and that were made. */
  pushed = 0;
  attempted = 0;
  settled = 0;
  /** Acknowledgements whose answer was lost, of messages that were not seen to be settled. */
  maybeSettled = 0;
  held = 0;

  constructor(queue: string) {
    this.#queue = queue;
  }

  /** A lane is about to push its next message. */
  pushing(lane: string): number {
    let fates = this.#lanes.get(lane);
    if (fates === undefined) {
      fates = [];
      this.#lanes.set(lane, fates);
    }
    this.attempted++;
    return fates.push(0) - 1;
  }

  acknowledged(lane: string, number: number): void {
    this.#add(lane, number, PUSHED);
    this.pushed++;
  }

  /** A message was handed out. @throws Violation when it cannot have been */
  delivered(lane: string, number: number): void {
    const fate = this.#fate(lane, number);
    if (fate & SETTLED)
      throw new Violation(`${this.#queue}: ${lane}:${number} came back after it was settled`);
    if (fate & HELD) throw new Violation(`${this.#queue}: ${lane}:${number} was handed out twice at a time`);
    this.#add(lane, number, HELD);
    this.held++;
  }

  settledBy(lane: string, number: number): void {
    const fate = this.#fate(lane, number);
    if (fate & SETTLED) throw new Violation(`${this.#queue}: ${lane}:${number} was settled twice`);
    if (fate & MAYBE_SETTLED) this.maybeSettled--;
    this.released(lane, number);
    this.#add(lane, number, SETTLED);
    this.settled++;
  }

  /** An acknowledgement's answer was lost. */
  maybeSettledBy(lane: string, number: number): void {
    this.released(lane, number);
    if (this.#fate(lane, number) & MAYBE_SETTLED) return;
    this.#add(lane, number, MAYBE_SETTLED);
    this.maybeSettled++;
  }

  /** The consumer no longer holds it. */
  released(lane: string, number: number): void {
    const fates = this.#lanes.get(lane)!;
    if ((fates[number]! & HELD) === 0) return;
    fates[number]! &= ~HELD;
    this.held--;
  }

  /** @throws Violation when a pushed message of a queue that is drained was never settled */
  checkAllSettled(): void {
    for (const [lane, fates] of this.#lanes) {
      for (const [number, fate] of fates.entries()) {
        if (fate & PUSHED && (fate & (SETTLED | MAYBE_SETTLED)) === 0) {
          throw new Violation(
            `${this.#queue}: ${lane}:${number} was acknowledged, and the drained queue never gave it`,
          );
        }
      }
    }
  }

  #fate(lane: string, number: number): number {
    const fate = this.#lanes.get(lane)?.[number];
    if (fate === undefined) throw new Violation(`${this.#queue}: ${lane}:${number} was never pushed`);
    return fate;
  }

  #add(lane: string, number: number, bit: number): void {
    this.#lanes.get(lane)![number]! |= bit;
  }
}
