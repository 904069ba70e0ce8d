/** A small network of cores for stories: everything happens at once and in order, unless the story says otherwise. */
import { makeConfiguration } from '../configuration.ts';
import { EntryKind } from '../entry.ts';
import type { Message } from '../messages.ts';
import type { ReadState } from '../ready.ts';
import { type Machine, Replica, type ReplicaOptions, type TestCore } from './replica.ts';

/** More work than any story has. */
const STEP_LIMIT = 20_000;

/** Elections as in the paper: whoever campaigns with a good log wins, nobody is asked before. */
export const CLASSIC: ReplicaOptions = { preVote: false, checkQuorum: false };

export class Cluster {
  readonly #replicas = new Map<number, Replica>();
  readonly #machines: Machine[] = [];
  readonly #texts = new Map<number, string[]>();
  readonly #reads = new Map<number, ReadState[]>();
  readonly #cuts = new Set<string>();
  #network: Message[] = [];
  /** Everything sent so far, lost or not. */
  sent: Message[] = [];
  /** Nodes whose writes and whose applying wait for the story. */
  readonly slowDisks = new Set<number>();
  readonly slowAppliers = new Set<number>();
  /** Messages for which it says true are lost. */
  loses: (message: Message) => boolean = () => false;

  constructor(voters: readonly number[], options: ReplicaOptions = {}, joining: readonly number[] = []) {
    const configuration = makeConfiguration(voters);
    for (const id of voters) this.#add(id, { configuration, ...options });
    for (const id of joining) this.#add(id, options);
  }

  #add(id: number, options: ReplicaOptions): void {
    this.#texts.set(id, []);
    this.#reads.set(id, []);
    const replica = new Replica(id, options, {
      onMessage: (message) => {
        this.sent.push(message);
        this.#network.push(message);
      },
      onApply: (_, entry, machine) => {
        this.#machines[entry.index] = machine;
        if (entry.kind === EntryKind.NORMAL) this.#texts.get(id)!.push(new TextDecoder().decode(entry.data));
      },
      onRead: (_, read) => this.#reads.get(id)!.push(read),
      machineAt: (snapshot) => this.#machines[snapshot.index]!,
    });
    this.#replicas.set(id, replica);
  }

  replica(id: number): Replica {
    return this.#replicas.get(id)!;
  }

  core(id: number): TestCore {
    return this.replica(id).core;
  }

  /** What `id` has applied, in order, since it was last started. */
  texts(id: number): string[] {
    return this.#texts.get(id)!;
  }

  /** The reads that `id` may serve. */
  reads(id: number): ReadState[] {
    return this.#reads.get(id)!;
  }

  /** Terms of a node's log from index 1 on. */
  terms(id: number): (number | undefined)[] {
    const core = this.core(id);
    return Array.from({ length: core.lastIndex }, (_, position) => core.termAt(position + 1));
  }

  /** The nodes that believe they lead. */
  leaders(): number[] {
    return [...this.#replicas.values()]
      .filter((replica) => replica.up && replica.core.isLeader)
      .map((replica) => replica.id);
  }

  /** Carries out and delivers everything until nothing is left to do. */
  run(): this {
    for (let steps = 0; steps < STEP_LIMIT; steps++) {
      let busy = false;
      for (const replica of this.#replicas.values()) busy = this.#work(replica) || busy;
      const message = this.#network.shift();
      if (message !== undefined) this.#deliver(message);
      else if (!busy) return this;
    }
    throw new Error('the network never comes to rest');
  }

  /** Carries out what is due on one node, without delivering anything. */
  work(id: number): this {
    while (this.#work(this.replica(id)));
    return this;
  }

  #work(replica: Replica): boolean {
    if (!replica.up) return false;
    const writes = replica.writes.length > 0 && !this.slowDisks.has(replica.id);
    const applies = replica.toApply.length > 0 && !this.slowAppliers.has(replica.id);
    const ready = replica.core.hasReady();
    if (ready) replica.takeReady();
    if (writes) replica.completeWrites();
    if (applies) replica.apply();
    return ready || writes || applies;
  }

  #deliver(message: Message): void {
    const receiver = this.replica(message.to);
    if (!receiver.up || this.#cuts.has(`${message.from}>${message.to}`) || this.loses(message)) return;
    receiver.core.step(message);
  }

  /** Hands a message over by hand: late, twice, or made up. */
  deliver(message: Message): this {
    this.core(message.to).step(message);
    return this;
  }

  tick(id: number, count = 1): this {
    for (let i = 0; i < count; i++) this.core(id).tick();
    return this;
  }

  /** Time passes alike for everybody, and everything is carried out in between. */
  pass(ticks: number): this {
    for (let i = 0; i < ticks; i++) {
      for (const replica of this.#replicas.values()) if (replica.up) replica.core.tick();
      this.run();
    }
    return this;
  }

  elect(id: number): this {
    this.core(id).campaign();
    this.run();
    if (!this.core(id).isLeader) throw new Error(`node ${id} did not win`);
    return this;
  }

  propose(id: number, text: string): this {
    this.core(id).propose(new TextEncoder().encode(text));
    return this;
  }

  cut(from: number, to: number): this {
    this.#cuts.add(`${from}>${to}`);
    return this;
  }

  isolate(...ids: number[]): this {
    for (const id of ids) {
      for (const other of this.#replicas.keys()) if (!ids.includes(other)) this.cut(id, other).cut(other, id);
    }
    return this;
  }

  heal(): this {
    this.#cuts.clear();
    this.loses = () => false;
    return this;
  }

  crash(id: number, durableWrites = 0): this {
    this.replica(id).crash(durableWrites);
    return this;
  }

  restart(id: number): this {
    this.replica(id).restart();
    this.texts(id).length = 0;
    return this;
  }
}
