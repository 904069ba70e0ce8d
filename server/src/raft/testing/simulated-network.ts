/** The network of a random run: what is under way, which links are cut, and what became of the messages. */
import type { Message } from '../messages.ts';
import type { Coverage } from './coverage.ts';
import type { Random } from './random.ts';

/** Past it the oldest message is lost: a network holds only so much. */
const UNDER_WAY_MAX = 120;

const LOSS = 0.04;
const DUPLICATION = 0.05;

export class SimulatedNetwork {
  readonly #random: Random;
  readonly #nodes: number;
  readonly #coverage: Coverage;
  /** Tells of every message that is lost. */
  readonly #onLost: (message: Message, why: string) => void;
  #underWay: Message[] = [];
  /** Ordered pairs `from>to` that lose everything. */
  readonly #cuts = new Set<string>();

  constructor(
    random: Random,
    nodes: number,
    coverage: Coverage,
    onLost: (message: Message, why: string) => void,
  ) {
    this.#random = random;
    this.#nodes = nodes;
    this.#coverage = coverage;
    this.#onLost = onLost;
  }

  post(message: Message): void {
    this.#coverage.messages++;
    if (message.type === 'snapshot') this.#coverage.sentSnapshots++;
    if (this.#underWay.length >= UNDER_WAY_MAX) this.lose(this.#underWay.shift()!, 'the network is full');
    this.#underWay.push(message);
  }

  lose(message: Message, why: string): void {
    this.#coverage.lostMessages++;
    this.#onLost(message, why);
  }

  connects({ from, to }: Pick<Message, 'from' | 'to'>): boolean {
    return !this.#cuts.has(`${from}>${to}`);
  }

  /** A message that arrives now; it may come again. Undefined when none does. */
  takeRandom(): Message | undefined {
    const underWay = this.#underWay;
    if (underWay.length === 0) return undefined;
    // Mostly near the front, so that messages get old but not always.
    const position = this.#random.chance(0.7)
      ? this.#random.below(Math.min(6, underWay.length))
      : this.#random.below(underWay.length);
    const message = underWay[position]!;
    if (position > 0) this.#coverage.reorderedMessages++;
    if (this.#random.chance(DUPLICATION)) this.#coverage.repeatedMessages++;
    else underWay.splice(position, 1);
    if (!this.#random.chance(LOSS)) return message;
    this.lose(message, 'chance');
    return undefined;
  }

  takeFirst(): Message | undefined {
    return this.#underWay.shift();
  }

  /** Cuts one direction, one pair or one node off; says what. */
  cut(): string {
    const random = this.#random;
    const a = 1 + random.below(this.#nodes);
    const b = 1 + random.below(this.#nodes);
    if (random.chance(0.5)) {
      for (let id = 1; id <= this.#nodes; id++) {
        this.#cuts.add(`${a}>${id}`);
        this.#cuts.add(`${id}>${a}`);
      }
      this.#coverage.isolations++;
      return `n${a} is cut off`;
    }
    this.#cuts.add(`${a}>${b}`);
    if (random.chance(0.5)) {
      this.#coverage.oneWayCuts++;
      return `n${a}→n${b} is cut`;
    }
    this.#cuts.add(`${b}>${a}`);
    this.#coverage.pairCuts++;
    return `n${a}↔n${b} is cut`;
  }

  heal(): void {
    this.#cuts.clear();
  }
}
