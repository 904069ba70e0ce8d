/** The leader's picture of the whole group: every member's progress, and what the majorities have reached. */
import { type Configuration, members } from './configuration.ts';
import { InFlight } from './in-flight.ts';
import type { ResolvedOptions } from './options.ts';
import { Progress } from './progress.ts';
import { reachedByMajority } from './quorum.ts';

export class Tracker {
  readonly #options: ResolvedOptions;
  readonly #byId = new Map<number, Progress>();
  /** This node's own progress; its `match` is what is durable here. */
  readonly self: Progress;
  /** Everyone else, ascending by id. */
  peers: Progress[] = [];
  #incoming: Progress[] = [];
  #outgoing: Progress[] = [];
  /** Scratch for majorities: no allocation per acknowledgement. */
  readonly #values: number[] = [];

  /** For a new leader: nobody has been heard yet, everyone is probed at the end of the log (paper §5.3). */
  constructor(options: ResolvedOptions, configuration: Configuration, lastIndex: number, persisted: number) {
    this.#options = options;
    this.self = this.#newProgress(options.id, lastIndex + 1);
    this.self.state = 'replicate';
    this.self.match = persisted;
    this.self.recentlyActive = true;
    this.#byId.set(options.id, this.self);
    for (const id of members(configuration)) {
      if (id !== options.id) this.#byId.set(id, this.#newProgress(id, lastIndex + 1));
    }
    this.#arrange(configuration);
  }

  get(id: number): Progress | undefined {
    return this.#byId.get(id);
  }

  /** Follows a configuration that has been applied: keeps what is known of members that stay. */
  switchTo(configuration: Configuration, lastIndex: number): void {
    const wanted = new Set(members(configuration));
    for (const id of this.#byId.keys()) {
      if (id !== this.self.id && !wanted.has(id)) this.#byId.delete(id);
    }
    for (const id of wanted) {
      if (this.#byId.has(id)) continue;
      const progress = this.#newProgress(id, Math.max(lastIndex, 1));
      // It had no chance to speak: the next quorum check must not count that against it.
      progress.recentlyActive = true;
      this.#byId.set(id, progress);
    }
    this.#arrange(configuration);
  }

  /** The highest index that is durable on a majority, on both majorities when joint. */
  agreedIndex(): number {
    return Math.min(this.#agreedMatch(this.#incoming), this.#agreedMatch(this.#outgoing));
  }

  /** The highest read position that a majority has confirmed, both majorities when joint. */
  agreedReadPosition(): number {
    return Math.min(this.#agreedRead(this.#incoming), this.#agreedRead(this.#outgoing));
  }

  /** Whether a majority was heard since the last call; starts the next period (thesis §6.2). */
  takeQuorumActive(): boolean {
    const active = this.#majorityActive(this.#incoming) && this.#majorityActive(this.#outgoing);
    for (const peer of this.peers) peer.recentlyActive = false;
    return active;
  }

  /** Whether every member holds everything up to `index` and was heard since the last quorum check. */
  haveAll(index: number): boolean {
    return this.peers.every(
      (peer) => peer.recentlyActive && peer.state === 'replicate' && peer.match === index,
    );
  }

  /** Nobody else votes: no answer is worth waiting for. */
  isSoleVoter(): boolean {
    return this.#outgoing.length === 0 && this.#incoming.length === 1 && this.#incoming[0] === this.self;
  }

  #agreedMatch(voters: readonly Progress[]): number {
    if (voters.length === 1) return voters[0]!.match;
    const values = this.#values;
    values.length = voters.length;
    for (let i = 0; i < voters.length; i++) values[i] = voters[i]!.match;
    return reachedByMajority(values);
  }

  #agreedRead(voters: readonly Progress[]): number {
    const values = this.#values;
    values.length = voters.length;
    for (let i = 0; i < voters.length; i++) values[i] = voters[i]!.readAck;
    return reachedByMajority(values);
  }

  #majorityActive(voters: readonly Progress[]): boolean {
    const values = this.#values;
    values.length = voters.length;
    for (let i = 0; i < voters.length; i++) values[i] = voters[i]!.recentlyActive ? 1 : 0;
    return reachedByMajority(values) >= 1;
  }

  #newProgress(id: number, next: number): Progress {
    const { maxInFlightMessages, maxInFlightBytes } = this.#options;
    return new Progress(id, next, false, new InFlight(maxInFlightMessages, maxInFlightBytes));
  }

  #arrange(configuration: Configuration): void {
    const pick = (ids: readonly number[]): Progress[] => ids.map((id) => this.#byId.get(id)!);
    this.#incoming = pick(configuration.voters);
    this.#outgoing = pick(configuration.votersOutgoing);
    this.peers = pick(members(configuration)).filter((progress) => progress !== this.self);
    for (const progress of this.#byId.values()) {
      progress.learner = configuration.learners.includes(progress.id);
    }
  }
}
