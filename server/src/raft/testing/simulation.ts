/**
 * A random run of a group, from a seed: messages are lost, repeated, reordered and delayed, the network is cut, nodes
 * crash and lose what was not durable, memberships change, snapshots travel, reads and transfers happen, and the
 * properties of Raft are checked after every step. In the end faults stop and the group must make progress.
 */
import {
  type Configuration,
  decodeConfiguration,
  isJoint,
  isMember,
  makeConfiguration,
  members,
} from '../configuration.ts';
import { type Entry, EntryKind } from '../entry.ts';
import type { Message } from '../messages.ts';
import { Checker, LivenessViolation } from './checker.ts';
import { type Coverage, noCoverage, RunHash } from './coverage.ts';
import { Random } from './random.ts';
import { randomChange } from './random-change.ts';
import { isRefusal } from './refusals.ts';
import { type Mutation, type Observer, Replica, type ReplicaOptions } from './replica.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { randomTemper, type Temper } from './temper.ts';
import { describeMessage, eventLine, TRACE_HEADER, type Trace } from './trace.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Random steps before faults stop. */
  readonly steps?: number;
  readonly mutation?: Mutation | undefined;
  /** Replaces what the seed would draw. */
  readonly temper?: Partial<Temper> | undefined;
  /** Told of every event. */
  readonly trace?: Trace | undefined;
}

export interface SimulationResult extends Readonly<Coverage> {
  /** Equal for equal runs, and hardly ever for others. */
  readonly hash: number;
}

const NODE_COUNT = 5;
/** How a group may begin; the nodes not named join empty. */
const BEGINNINGS = [
  makeConfiguration([1, 2, 3]),
  makeConfiguration([1, 2, 3]),
  makeConfiguration([1, 2, 3, 4, 5]),
  makeConfiguration([1], [2, 3]),
];
/** Rounds of one tick each in which a healthy group must elect, commit and catch everyone up. */
const LIVENESS_ROUNDS = 300;
const ELECTION_TICKS = 5;
/** In half of the runs groups at rest stop their clocks, and that soon, so that they do it at all. */
const HIBERNATE_AFTER_TICKS = 1;
/** Every other time of so many steps nobody asks anything of those groups. */
const REST_STEPS = 300;
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
  readonly #network: SimulatedNetwork;
  /** Nodes whose disks stand still. */
  readonly #stalled = new Set<number>();
  readonly #steps: number;
  readonly #temper: Temper;
  readonly #hibernateAfterTicks: number;
  readonly #sparseCommits: boolean;
  readonly #coverage = noCoverage();
  readonly #hash = new RunHash();
  readonly #trace: Trace | undefined;
  #step = 0;
  #nextValue = 1;

  constructor(options: SimulationOptions) {
    this.#random = new Random(options.seed);
    this.#steps = options.steps ?? 6_000;
    this.#trace = options.trace;
    this.#temper = { ...randomTemper(this.#random), ...options.temper };
    this.#network = new SimulatedNetwork(this.#random, NODE_COUNT, this.#coverage, (message, why) => {
      this.#event(undefined, () => `lost (${why}): ${describeMessage(message)}`);
      if (message.type === 'snapshot') this.#reportSnapshot(message, false);
    });
    this.#hibernateAfterTicks = options.seed % 2 === 0 ? HIBERNATE_AFTER_TICKS : 0;
    this.#sparseCommits = options.seed % 3 === 0;
    const readsAhead = this.#random.chance(0.5);
    const beginning = this.#random.pick(BEGINNINGS);
    for (let id = 1; id <= NODE_COUNT; id++) {
      const configuration = isMember(beginning, id) ? beginning : makeConfiguration();
      this.#replicas.push(this.#makeReplica(id, configuration, readsAhead, options.mutation));
    }
    this.#trace?.(`seed ${options.seed}: voters ${beginning.voters}, learners ${beginning.learners}`);
    this.#trace?.(TRACE_HEADER);
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
      electionTicks: ELECTION_TICKS,
      hibernateAfterTicks: this.#hibernateAfterTicks,
      sparseCommits: this.#sparseCommits,
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
    const observer: Observer = {
      onMessage: (message) => this.#post(message),
      onDurable: this.#checker.onKnown.bind(this.#checker),
      onApply: (replica, entry, machine) => {
        this.#countApplied(replica, entry);
        this.#checker.onApply(replica, entry, machine);
      },
      onRead: (replica, read) => {
        this.#event(replica, () => `read ${read.context} may be served at ${read.index}`);
        this.#checker.onRead(read);
      },
      machineAt: (snapshot) => {
        this.#coverage.installedSnapshots++;
        return this.#checker.machineAt(snapshot);
      },
    };
    return new Replica(id, options, observer, { mutation, readsAhead });
  }

  run(): SimulationResult {
    const actions = this.#actions(this.#temper);
    const total = actions.reduce((sum, [weight]) => sum + weight, 0);
    for (; this.#step < this.#steps; this.#step++) {
      let at = this.#random.next() * total;
      for (const [weight, run] of actions) {
        at -= weight;
        if (at >= 0) continue;
        run();
        break;
      }
    }
    this.#event(undefined, () => 'faults are over');
    this.#checkLiveness();
    const coverage = this.#coverage;
    coverage.steps = this.#step;
    coverage.committed = this.#checker.committed;
    coverage.answeredReads = this.#checker.answeredReads;
    coverage.electionsWon = this.#checker.electionsWon;
    coverage.leaderChanges = this.#checker.leaderChanges;
    coverage.terms = Math.max(...this.#replicas.map((replica) => replica.core.term));
    for (const count of Object.values(coverage)) this.#hash.add(count);
    for (const { machine } of this.#replicas) this.#hash.add(machine.digest);
    return { ...coverage, hash: this.#hash.value };
  }

  #actions({ disk, applying, churn, crashes, restarts, cuts, healing, elections, stalls }: Temper): Action[] {
    const random = this.#random;
    return [
      [400, () => this.#deliverRandom()],
      [90, () => this.#at('tick', (replica) => this.#tick(replica))],
      [330, () => this.#at('ready', (replica) => replica.takeReady())],
      [disk, () => this.#at('synced', (replica) => this.#write(replica, 1 + random.below(3)))],
      [applying, () => this.#at('applied', (replica) => replica.apply(1 + random.below(4)))],
      [80, () => this.#askLeader('propose', (replica) => replica.core.propose(this.#value()))],
      [40, () => this.#askLeader('read', (replica) => this.#read(replica))],
      [churn, () => this.#askLeader('change members', (replica) => this.#changeMembers(replica))],
      [2, () => this.#atLeader('transfer', (replica) => replica.core.transferLeadership(this.#anyNode()))],
      [elections, () => this.#at('campaign', (replica) => replica.core.campaign())],
      [3, () => this.#at('unreachable', (replica) => replica.core.reportUnreachable(this.#anyNode()))],
      [10, () => this.#at('flush', (replica) => replica.flush())],
      [4, () => this.#at('compact', (replica) => this.#compact(replica))],
      [crashes, () => this.#crash()],
      [restarts, () => this.#restart()],
      [cuts, () => this.#cut()],
      [healing, () => this.#heal()],
      [stalls, () => this.#stall()],
    ];
  }

  /** Something happened: the digest of the run takes it in, and the trace when there is one. */
  #event(replica: Replica | undefined, describe: () => string): void {
    this.#hash.add(this.#step);
    if (replica !== undefined) {
      this.#hash.add(replica.id);
      this.#hash.add(replica.core.term);
      this.#hash.add(replica.core.commitIndex);
    }
    if (this.#trace === undefined) return;
    const standing = replica && { id: replica.id, up: replica.up, status: replica.core.status() };
    this.#trace(eventLine(this.#step, standing, describe()));
  }

  #countApplied(replica: Replica, entry: Entry): void {
    if (entry.kind !== EntryKind.CONFIGURATION) return;
    this.#coverage.appliedConfigurations++;
    const configuration = decodeConfiguration(entry.data);
    if (isJoint(configuration)) this.#coverage.jointConfigurations++;
    this.#event(replica, () => `members are now ${JSON.stringify(configuration)}`);
  }

  #at(what: string, act: (replica: Replica) => void): void {
    const replica = this.#random.pick(this.#replicas);
    if (replica.up) this.#do(replica, what, act);
  }

  #do(replica: Replica, what: string, act: (replica: Replica) => void): void {
    let outcome = '';
    try {
      act(replica);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      outcome = `: refused, ${(error as Error).message}`;
    }
    this.#event(replica, () => `${what}${outcome}`);
    this.#checker.onStep(replica);
  }

  #atLeader(what: string, act: (replica: Replica) => void): void {
    const replica = this.#random.pick(this.#replicas);
    if (replica.up && replica.core.isLeader) this.#do(replica, what, act);
  }

  #askLeader(what: string, act: (replica: Replica) => void): void {
    const rests = this.#hibernateAfterTicks > 0 && Math.floor(this.#step / REST_STEPS) % 2 === 1;
    if (!rests) this.#atLeader(what, act);
  }

  #anyNode(): number {
    return 1 + this.#random.below(NODE_COUNT);
  }

  /** A replica that hibernates is woken, sooner or later, when its owner hears no other member or only thinks so. */
  #tick(replica: Replica): void {
    const { core } = replica;
    if (core.isHibernating) {
      const silent = members(core.configuration).some((id) => id !== replica.id && !this.#hears(replica, id));
      if (silent || this.#random.chance(0.02)) core.wake(this.#random.below(2 * ELECTION_TICKS));
    }
    core.tick();
  }

  #hears(replica: Replica, id: number): boolean {
    return this.#replicas[id - 1]!.up && this.#network.connects({ from: id, to: replica.id });
  }

  #write(replica: Replica, count: number): void {
    if (!this.#stalled.has(replica.id)) replica.completeWrites(count);
  }

  #compact(replica: Replica): void {
    const first = replica.disk.firstIndex();
    replica.compact(replica.flushed.index - this.#random.below(5));
    if (replica.disk.firstIndex() > first) this.#coverage.compactions++;
  }

  #changeMembers(replica: Replica): void {
    replica.core.proposeConfiguration(randomChange(this.#random, NODE_COUNT));
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

  #post(message: Message): void {
    if (message.type === 'append') this.#checker.onKnown(message.entries, message.previousTerm);
    if (message.type === 'hibernate') this.#coverage.hibernations++;
    this.#network.post(message);
  }

  #reportSnapshot(message: Message, ok: boolean): void {
    const sender = this.#replicas[message.from - 1]!;
    if (!sender.up) return;
    sender.core.reportSnapshot(message.to, ok);
    this.#checker.onStep(sender);
  }

  #deliverRandom(): void {
    const message = this.#network.takeRandom();
    if (message !== undefined) this.#deliver(message);
  }

  #deliver(message: Message): void {
    const receiver = this.#replicas[message.to - 1]!;
    if (!receiver.up || !this.#network.connects(message)) {
      this.#network.lose(message, receiver.up ? 'the link is cut' : 'nobody is there');
      return;
    }
    receiver.core.step(message);
    if (message.type === 'timeout-now') this.#coverage.transfers++;
    this.#event(receiver, () => describeMessage(message));
    this.#checker.onStep(receiver);
    if (message.type === 'snapshot') this.#reportSnapshot(message, true);
  }

  #crash(): void {
    const replica = this.#random.pick(this.#replicas);
    if (!replica.up) return;
    const { writes } = replica;
    const durable = Math.min(writes.length, this.#random.below(3));
    const lost = writes.length - durable;
    const isTorn = replica.crash(durable, this.#random.below(4));
    this.#stalled.delete(replica.id);
    this.#checker.onCrash(replica);
    this.#coverage.crashes++;
    if (lost > 0) this.#coverage.crashesWithLoss++;
    if (isTorn) this.#coverage.tornWrites++;
    this.#event(replica, () => `crashes; ${lost} writes are lost${isTorn ? ', the first in part' : ''}`);
  }

  #restart(): void {
    const replica = this.#random.pick(this.#replicas);
    if (replica.up) return;
    replica.restart();
    this.#coverage.restarts++;
    this.#event(replica, () => 'restarts');
    this.#checker.onStep(replica);
  }

  #cut(): void {
    const what = this.#network.cut();
    this.#event(undefined, () => what);
  }

  #heal(): void {
    this.#network.heal();
    this.#stalled.clear();
    this.#event(undefined, () => 'links and disks work again');
  }

  #stall(): void {
    const replica = this.#random.pick(this.#replicas);
    if (!replica.up || this.#stalled.has(replica.id)) return;
    this.#stalled.add(replica.id);
    this.#coverage.stalledDisks++;
    this.#event(replica, () => 'the disk stands still');
  }

  /** Faults are over: one leader, a new entry commits, and every member applies everything. */
  #checkLiveness(): void {
    this.#network.heal();
    this.#stalled.clear();
    for (const replica of this.#replicas) if (!replica.up) replica.restart();
    let proposed = 0;
    for (let round = 0; round < LIVENESS_ROUNDS; round++) {
      this.#step++;
      for (const replica of this.#replicas) {
        this.#tick(replica);
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
      const message = this.#network.takeFirst();
      if (message === undefined) return;
      if (--budget < 0) throw new LivenessViolation('messages never cease');
      this.#deliver(message);
    }
  }
}
