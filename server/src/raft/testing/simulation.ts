/**
 * A random run of a group, from a seed: messages are lost, repeated, reordered and delayed, the network is cut, nodes
 * crash and lose what was not durable, memberships change, snapshots travel, reads and transfers happen, and the
 * properties of Raft are checked after every step. In the end faults stop and the group must make progress.
 */
import {
  type Configuration,
  type ConfigurationChange,
  isMember,
  type MemberChange,
  makeConfiguration,
} from '../configuration.ts';
import { EntryKind } from '../entry.ts';
import {
  ConfigurationRefusedError,
  NotLeaderError,
  ProposalDroppedError,
  ReadRefusedError,
  TransferRefusedError,
} from '../errors.ts';
import type { Message } from '../messages.ts';
import { Checker, LivenessViolation } from './checker.ts';
import { Random } from './random.ts';
import { type Mutation, Replica, type ReplicaOptions } from './replica.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Random steps before faults stop. */
  readonly steps?: number;
  readonly mutation?: Mutation | undefined;
  /** Replaces what the seed would draw. */
  readonly temper?: Partial<Temper> | undefined;
}

/** How often things happen, relative to the other actions: what is rare in one run is common in another. */
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
  /** All cuts heal. */
  readonly healing: number;
  /** Elections out of the blue. */
  readonly elections: number;
}

function randomTemper(random: Random): Temper {
  return {
    disk: random.pick([20, 60, 170]),
    applying: random.pick([20, 120]),
    churn: random.pick([3, 10, 50]),
    crashes: random.pick([0.5, 1, 2, 5]),
    restarts: random.pick([4, 20]),
    cuts: random.pick([0, 0.5, 2]),
    healing: random.pick([0.5, 1, 3]),
    elections: random.pick([0, 2, 10]),
  };
}

/** What a run did: a run that does nothing proves nothing. */
export interface SimulationResult {
  readonly committed: number;
  readonly answeredReads: number;
  readonly terms: number;
  readonly crashes: number;
  readonly installedSnapshots: number;
  readonly appliedConfigurations: number;
}

const NODE_COUNT = 5;
/** How a group may begin; the nodes not named join empty. */
const BEGINNINGS = [
  makeConfiguration([1, 2, 3]),
  makeConfiguration([1, 2, 3]),
  makeConfiguration([1, 2, 3, 4, 5]),
  makeConfiguration([1], [2, 3]),
];
/** Past it the oldest message is lost: a network holds only so much. */
const NETWORK_LIMIT = 120;
/** Rounds of one tick each in which a healthy group must elect, commit and catch everyone up. */
const LIVENESS_ROUNDS = 300;
/** Steps within one tick; enough for any honest exchange, few enough to end a loop. */
const SETTLE_LIMIT = 10_000;

/** An action and how often it is taken, relative to the others. */
type Action = readonly [weight: number, run: () => void];

export function simulate(options: SimulationOptions): SimulationResult {
  return new Simulation(options).run();
}

class Simulation {
  readonly #random: Random;
  readonly #replicas: Replica[] = [];
  readonly #checker = new Checker(this.#replicas);
  #network: Message[] = [];
  /** Ordered pairs `from>to` that lose everything. */
  readonly #cuts = new Set<string>();
  readonly #steps: number;
  readonly #temper: Temper;
  #nextValue = 1;
  #crashes = 0;
  #installedSnapshots = 0;
  #appliedConfigurations = 0;

  constructor(options: SimulationOptions) {
    this.#random = new Random(options.seed);
    this.#steps = options.steps ?? 6_000;
    this.#temper = { ...randomTemper(this.#random), ...options.temper };
    const readsAhead = this.#random.chance(0.5);
    const beginning = this.#random.pick(BEGINNINGS);
    for (let id = 1; id <= NODE_COUNT; id++) {
      const configuration = isMember(beginning, id) ? beginning : makeConfiguration();
      this.#replicas.push(this.#makeReplica(id, configuration, readsAhead, options.mutation));
    }
  }

  #makeReplica(
    id: number,
    configuration: Configuration,
    readsAhead: boolean,
    mutation: Mutation | undefined,
  ): Replica {
    const random = this.#random;
    const options: ReplicaOptions = {
      configuration,
      random: random.next,
      electionTicks: 5,
      preVote: random.chance(0.7),
      checkQuorum: random.chance(0.7),
      maxInFlightMessages: 1 + random.below(4),
      maxInFlightBytes: 400,
      maxMessageBytes: 40 + random.below(200),
      maxUncommittedBytes: 60,
      maxCommittedBytesPerReady: 30 + random.below(200),
      maxRetainedBytes: 100,
      maxPendingReads: 10,
    };
    const observer = {
      onMessage: (message: Message) => this.#post(message),
      onDurable: this.#checker.onKnown.bind(this.#checker),
      onApply: (...event: Parameters<Checker['onApply']>) => {
        if (event[1].kind === EntryKind.CONFIGURATION) this.#appliedConfigurations++;
        this.#checker.onApply(...event);
      },
      onRead: (_: Replica, read: Parameters<Checker['onRead']>[0]) => this.#checker.onRead(read),
      machineAt: (...event: Parameters<Checker['machineAt']>) => {
        this.#installedSnapshots++;
        return this.#checker.machineAt(...event);
      },
    };
    return new Replica(id, options, observer, { mutation, readsAhead });
  }

  run(): SimulationResult {
    const actions = this.#actions(this.#temper);
    const total = actions.reduce((sum, [weight]) => sum + weight, 0);
    for (let step = 0; step < this.#steps; step++) {
      let at = this.#random.next() * total;
      for (const [weight, run] of actions) {
        at -= weight;
        if (at >= 0) continue;
        run();
        break;
      }
    }
    this.#checkLiveness();
    return {
      committed: this.#checker.committed,
      answeredReads: this.#checker.answeredReads,
      terms: Math.max(...this.#replicas.map((replica) => replica.core.term)),
      crashes: this.#crashes,
      installedSnapshots: this.#installedSnapshots,
      appliedConfigurations: this.#appliedConfigurations,
    };
  }

  #actions({ disk, applying, churn, crashes, restarts, cuts, healing, elections }: Temper): Action[] {
    const random = this.#random;
    return [
      [400, () => this.#deliverRandom()],
      [90, () => this.#at((replica) => replica.core.tick())],
      [330, () => this.#at((replica) => replica.takeReady())],
      [disk, () => this.#at((replica) => replica.completeWrites(1 + random.below(3)))],
      [applying, () => this.#at((replica) => replica.apply(1 + random.below(4)))],
      [80, () => this.#atLeader((replica) => replica.core.propose(this.#value()))],
      [40, () => this.#atLeader((replica) => this.#read(replica))],
      [churn, () => this.#atLeader((replica) => replica.core.proposeConfiguration(this.#change()))],
      [2, () => this.#atLeader((replica) => replica.core.transferLeadership(1 + random.below(NODE_COUNT)))],
      [elections, () => this.#at((replica) => replica.core.campaign())],
      [3, () => this.#at((replica) => replica.core.reportUnreachable(1 + random.below(NODE_COUNT)))],
      [10, () => this.#at((replica) => replica.flush())],
      [4, () => this.#at((replica) => replica.compact(replica.flushed.index - random.below(5)))],
      [crashes, () => this.#crash()],
      [restarts, () => this.#restart()],
      [cuts, () => this.#cut()],
      [healing, () => this.#cuts.clear()],
    ];
  }

  #at(act: (replica: Replica) => void): void {
    const replica = this.#random.pick(this.#replicas);
    if (!replica.up) return;
    try {
      act(replica);
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    this.#checker.onStep(replica);
  }

  #atLeader(act: (replica: Replica) => void): void {
    this.#at((replica) => {
      if (replica.core.isLeader) act(replica);
    });
  }

  #value(): Uint8Array {
    const value = this.#nextValue++;
    return Uint8Array.of(value >>> 16, value >>> 8, value);
  }

  #read(replica: Replica): void {
    const context = this.#nextValue++;
    this.#checker.startRead(context);
    replica.core.readIndex(context);
  }

  #change(): ConfigurationChange {
    const random = this.#random;
    if (random.chance(0.3)) return { kind: 'leave-joint' };
    const changes: MemberChange[] = [];
    const count = 1 + random.below(3);
    for (let i = 0; i < count; i++) {
      const type = random.pick(['add-voter', 'add-voter', 'add-learner', 'remove'] as const);
      changes.push({ type, node: 1 + random.below(NODE_COUNT) });
    }
    const transition = random.pick(['automatic', 'automatic', 'joint-auto-leave', 'joint-explicit'] as const);
    return { kind: 'change', changes, transition };
  }

  #post(message: Message): void {
    if (message.type === 'append') this.#checker.onKnown(message.entries, message.previousTerm);
    if (this.#network.length >= NETWORK_LIMIT) this.#lose(this.#network.shift()!);
    this.#network.push(message);
  }

  #lose(message: Message): void {
    if (message.type === 'snapshot') this.#reportSnapshot(message, false);
  }

  #reportSnapshot(message: Message, ok: boolean): void {
    const sender = this.#replicas[message.from - 1]!;
    if (!sender.up) return;
    sender.core.reportSnapshot(message.to, ok);
    this.#checker.onStep(sender);
  }

  #deliverRandom(): void {
    if (this.#network.length === 0) return;
    // Mostly near the front, so that messages get old but not always.
    const position = this.#random.chance(0.7)
      ? this.#random.below(Math.min(6, this.#network.length))
      : this.#random.below(this.#network.length);
    const message = this.#network[position]!;
    if (!this.#random.chance(0.05)) this.#network.splice(position, 1);
    if (this.#random.chance(0.04)) this.#lose(message);
    else this.#deliver(message);
  }

  #deliver(message: Message): void {
    const receiver = this.#replicas[message.to - 1]!;
    if (!receiver.up || this.#cuts.has(`${message.from}>${message.to}`)) {
      this.#lose(message);
      return;
    }
    receiver.core.step(message);
    this.#checker.onStep(receiver);
    if (message.type === 'snapshot') this.#reportSnapshot(message, true);
  }

  #crash(): void {
    const replica = this.#random.pick(this.#replicas);
    if (!replica.up) return;
    replica.crash(this.#random.below(3));
    this.#checker.onCrash(replica);
    this.#crashes++;
  }

  #restart(): void {
    const replica = this.#random.pick(this.#replicas);
    if (replica.up) return;
    replica.restart();
    this.#checker.onStep(replica);
  }

  /** Cuts one direction, one pair or one node off. */
  #cut(): void {
    const random = this.#random;
    const a = 1 + random.below(NODE_COUNT);
    const b = 1 + random.below(NODE_COUNT);
    if (random.chance(0.5)) {
      for (let id = 1; id <= NODE_COUNT; id++) {
        this.#cuts.add(`${a}>${id}`);
        this.#cuts.add(`${id}>${a}`);
      }
    } else {
      this.#cuts.add(`${a}>${b}`);
      if (random.chance(0.5)) this.#cuts.add(`${b}>${a}`);
    }
  }

  /** Faults are over: one leader, a new entry commits, and every member applies everything. */
  #checkLiveness(): void {
    this.#cuts.clear();
    for (const replica of this.#replicas) if (!replica.up) replica.restart();
    let proposed = 0;
    for (let round = 0; round < LIVENESS_ROUNDS; round++) {
      for (const replica of this.#replicas) {
        replica.core.tick();
        this.#checker.onStep(replica);
      }
      this.#settle();
      if (proposed === 0) proposed = this.#proposeAnywhere();
      else if (this.#everyoneApplied(proposed)) return;
    }
    const states = this.#replicas.map((replica) => JSON.stringify(replica.core.status())).join('\n');
    throw new LivenessViolation(`no progress within ${LIVENESS_ROUNDS} rounds without faults\n${states}`);
  }

  #proposeAnywhere(): number {
    const leaders = this.#replicas.filter((replica) => replica.core.isLeader);
    const leader = leaders.sort((a, b) => b.core.term - a.core.term)[0];
    if (leader === undefined) return 0;
    try {
      return leader.core.propose(this.#value()).index;
    } catch (error) {
      if (isRefusal(error)) return 0;
      throw error;
    }
  }

  #everyoneApplied(index: number): boolean {
    const leader = this.#replicas.find((replica) => replica.core.isLeader);
    if (leader === undefined || leader.core.configuration.autoLeave) return false;
    const everyone = this.#replicas.filter((replica) => isMember(leader.core.configuration, replica.id));
    const furthest = Math.max(...everyone.map((replica) => replica.core.lastIndex));
    return furthest >= index && everyone.every((replica) => replica.machine.index === furthest);
  }

  /** Delivers and carries out everything, in order, until nothing is left. */
  #settle(): void {
    let budget = SETTLE_LIMIT;
    for (;;) {
      for (const replica of this.#replicas) {
        while (replica.core.hasReady() || replica.writes.length > 0 || replica.toApply.length > 0) {
          if (--budget < 0) throw new LivenessViolation('work never ceases');
          replica.takeReady();
          replica.completeWrites();
          this.#checker.onStep(replica);
          replica.apply();
          this.#checker.onStep(replica);
        }
      }
      const message = this.#network.shift();
      if (message === undefined) return;
      if (--budget < 0) throw new LivenessViolation('messages never cease');
      this.#deliver(message);
    }
  }
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof NotLeaderError ||
    error instanceof ProposalDroppedError ||
    error instanceof ConfigurationRefusedError ||
    error instanceof ReadRefusedError ||
    error instanceof TransferRefusedError
  );
}
