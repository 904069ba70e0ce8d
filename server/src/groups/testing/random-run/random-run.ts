/**
 * A random run of whole hosts, from a seed: three to five replicas with their logs, stores, state machines and sessions,
 * clients that repeat what was not answered, a network that loses, repeats, delays and cuts, machines that stop, disks
 * that are slow or fail, members that come and go. In the end, with all that over, every replica has the same rows, and
 * every client what it was told. In half of the runs groups hibernate; those rest now and then, and lose their leader in the
 * very end.
 */
import { nodeOf } from '../../../cluster/replica-id.ts';
import { isVoter, members } from '../../../raft/index.ts';
import { LivenessViolation, Violation } from '../../../raft/testing/checker.ts';
import { RunHash } from '../../../raft/testing/coverage.ts';
import { describeMessage, eventLine, TRACE_HEADER, type Trace } from '../../../raft/testing/trace.ts';
import { TICK_MS } from '../../timing.ts';
import { set } from '../calls.ts';
import { type ConnectedNode, type Sabotage, SimulatedHosts } from '../simulated-hosts.ts';
import { CountingClient } from './counting-client.ts';
import { type Coverage, noCoverage } from './coverage.ts';
import { Faults } from './faults.ts';
import { attempt, MemberChanges } from './member-changes.ts';
import { PlainWriter } from './plain-writer.ts';
import { ReadingClient } from './reading-client.ts';
import { slowNodes } from './slow-nodes.ts';
import { VirtualTimers } from './virtual-timers.ts';

const NODES = 5;
const STEPS = 120;
const CLIENTS = 4;
/** Runs that hibernate do so soon; every other time of so many steps nobody asks anything of the group. */
const HIBERNATE_AFTER_TICKS = 2;
const REST_STEPS = 8;
/** Ticks in which a group that is left alone comes to rest, and in which one at rest replaces a leader, many times over. */
const REST_TICKS_MAX = 200;
const FAILOVER_TICKS_MAX = 100;
const READS_PER_STEP = 3;
const READS_AFTER_ELECTION = 10;
/** Ticks in which a group without faults has to answer everybody. */
const CALM_TICKS_MAX = 600;

export interface RunOptions {
  readonly seed: number;
  readonly sabotage?: Sabotage | undefined;
  readonly trace?: Trace | undefined;
}

export interface RunResult extends Readonly<Coverage> {
  /** Equal for equal runs, and hardly ever for others. */
  readonly hash: number;
}

/** @throws Violation, LivenessViolation (as rejections) */
export async function randomRun(options: RunOptions): Promise<RunResult> {
  const timers = new VirtualTimers();
  const restoreTimers = timers.install();
  const speedUp = options.seed % 2 === 0 ? slowNodes() : undefined;
  const run = new RandomRun(options, timers);
  try {
    return await run.play();
  } finally {
    await run.hosts.stop();
    speedUp?.();
    restoreTimers();
  }
}

class RandomRun {
  readonly hosts: SimulatedHosts;
  readonly #coverage = noCoverage();
  readonly #hash = new RunHash();
  readonly #trace: Trace | undefined;
  readonly #faults: Faults;
  readonly #members: MemberChanges;
  readonly #counting: readonly CountingClient[];
  readonly #reading: ReadingClient;
  readonly #plain: PlainWriter;
  readonly #hibernates: boolean;
  /** Who led a term, by the term. */
  readonly #leaders = new Map<number, number>();

  constructor({ seed, sabotage, trace }: RunOptions, timers: VirtualTimers) {
    this.#hibernates = seed % 4 >= 2;
    const hibernateAfterTicks = this.#hibernates ? HIBERNATE_AFTER_TICKS : 0;
    this.hosts = new SimulatedHosts({
      nodes: NODES,
      seed,
      segmentBytes: 8192,
      sabotage,
      hibernateAfterTicks,
    });
    this.#trace = trace;
    this.#faults = new Faults(this.hosts, this.#coverage);
    this.#members = new MemberChanges(this.hosts, this.#coverage);
    this.#counting = Array.from(
      { length: CLIENTS },
      (_, i) => new CountingClient(this.hosts, i + 1, this.#coverage),
    );
    this.#reading = new ReadingClient(this.hosts, this.#counting, this.#coverage);
    this.#plain = new PlainWriter(this.hosts, this.#coverage);
    this.hosts.onTick = (now) => timers.advance(now * TICK_MS);
    this.hosts.observer = {
      onMessage: (to, message) => {
        if (message.type === 'hibernate') this.#coverage.hibernations++;
        this.#event(to, () => describeMessage(message, nodeOf));
      },
      onLost: (message, why) => {
        this.#coverage.lostMessages++;
        this.#event(undefined, () => `lost (${why}): ${describeMessage(message, nodeOf)}`);
      },
      onSnapshot: (from, message) => this.#event(from, () => `sends ${describeMessage(message, nodeOf)}`),
      onSnapshotTaken: (to, { snapshot }) => {
        this.#coverage.snapshotsInstalled++;
        this.#event(to, () => `has taken the snapshot of ${snapshot.index}`);
      },
    };
    trace?.(`seed ${seed}`);
    trace?.(TRACE_HEADER);
  }

  async play(): Promise<RunResult> {
    const { hosts } = this;
    await hosts.start();
    await hosts.found([1, 2, 3]);
    await hosts.leader();
    for (let step = 0; step < STEPS; step++) {
      const rests = this.#hibernates && Math.floor(step / REST_STEPS) % 2 === 1;
      if (!rests) this.#begin();
      await this.#act();
      await hosts.ticks(1 + hosts.random.below(4), 4 + hosts.random.below(20));
      this.#faults.reap();
      this.#check();
    }
    await this.#calm();
    if (this.#hibernates) await this.#failAtRest();
    const coverage = this.#coverage;
    coverage.ticks = hosts.now;
    coverage.messages = hosts.messages;
    coverage.snapshotsSent = hosts.snapshots.length;
    coverage.checkpoints = hosts.nodes.reduce((sum, { storeDisk }) => sum + storeDisk.checkpoints, 0);
    for (const count of Object.values(coverage)) this.#hash.add(count);
    return { ...coverage, hash: this.#hash.value };
  }

  #begin(): void {
    for (const client of this.#counting) client.begin();
    for (let i = 0; i < READS_PER_STEP; i++) this.#reading.begin();
    this.#plain.begin();
  }

  /** Something happened: the digest of the run takes it in, and the trace when there is one. */
  #event(node: ConnectedNode | undefined, describe: () => string): void {
    this.#hash.add(this.hosts.now);
    const group = node?.up ? node.host.group(1) : undefined;
    if (node !== undefined) this.#hash.add(node.number);
    if (group !== undefined) this.#hash.add(group.state.appliedIndex);
    if (this.#trace === undefined) return;
    const standing = node && {
      id: node.number,
      up: node.up,
      status:
        group?.status() ??
        ({ role: node.up ? 'no replica' : 'down', term: 0, commit: 0, applied: 0, lastIndex: 0 } as const),
    };
    this.#trace(eventLine(this.hosts.now, standing, describe()));
  }

  async #act(): Promise<void> {
    const { hosts } = this;
    const { random } = hosts;
    const kind = random.below(20);
    const node = random.pick(hosts.nodes);
    const told = (what: string): void => this.#event(node, () => what);
    switch (kind) {
      case 0:
        this.#faults.weather();
        return told(`the weather is ${JSON.stringify(hosts.weather)}`);
      case 1:
        this.#faults.isolate(node);
        return told('is cut off');
      case 2: {
        const other = random.pick(hosts.nodes);
        this.#faults.cutLink(node, other);
        return told(`its link with n${other.number} is cut`);
      }
      case 3:
      case 4:
        hosts.heal();
        return told('all links work again');
      case 5:
        this.#faults.crash(node);
        return told('crashes');
      case 6:
      case 7:
        await this.#faults.restart();
        return told('all nodes are up');
      case 8:
      case 9:
        for (const { up, host } of hosts.nodes) if (up) void host.checkpoint();
        return told('all stores are written out');
      case 10:
        return this.#fill();
      case 11:
        return this.#transfer();
      case 12:
        this.#faults.holdSyncs(node);
        return told('the disk takes its time');
      case 13:
        this.#faults.releaseSyncs();
        told('all disks work again');
        if (!random.chance(0.5)) return;
        this.#begin();
        await hosts.settle(random.below(8));
        this.#faults.powerCut();
        return told('all machines stop');
      case 14:
        this.#faults.failSync(node);
        return told('the next sync fails');
      case 15:
        this.#faults.holdStore(node);
        return told('the store takes nothing');
      case 16:
        this.#faults.releaseStores();
        return told('all stores go on');
      default:
        this.#members.next();
    }
  }

  /** Enough that logs are cut, and that who was away needs a snapshot. */
  #fill(): void {
    const { random } = this.hosts;
    const leader = this.hosts.leaderOf();
    if (leader === undefined) return;
    const value = 'x'.repeat(random.below(4000));
    // Whatever becomes of them.
    for (let i = 0; i < 10; i++) set(leader.group(), `key-${random.below(30)}`, value).catch(() => {});
    this.#event(leader, () => `is given 10 writes of ${value.length} bytes`);
  }

  #transfer(): void {
    const leader = this.hosts.leaderOf();
    if (leader === undefined) return;
    const group = leader.group();
    const to = this.hosts.random.pick(group.configuration.voters);
    if (to === group.replicaId) return;
    this.#coverage.transfersAsked++;
    attempt(() => group.transferLeadership(to));
    this.#event(leader, () => `is asked to hand over to n${nodeOf(to)}`);
  }

  #check(): void {
    for (const { number, fatal, bugs } of this.hosts.nodes) {
      if (fatal[0] !== undefined) throw fatalViolation(number, fatal[0]);
      if (bugs[0] !== undefined) throw new Violation(`no bugs: node ${number}: ${bugs[0]}`);
    }
    for (const node of this.hosts.nodes) if (node.up) this.#checkLeader(node);
    this.#members.check();
    for (const { violation } of [...this.#counting, this.#reading]) if (violation) throw violation;
  }

  #checkLeader(node: ConnectedNode): void {
    const group = node.host.group(1);
    if (group?.isLeader !== true) return;
    const known = this.#leaders.get(group.term);
    if (known === group.replicaId) return;
    if (known !== undefined) {
      throw new Violation(`election safety: ${known} and ${group.replicaId} lead term ${group.term}`);
    }
    const last = [...this.#leaders.values()].at(-1);
    this.#leaders.set(group.term, group.replicaId);
    this.#coverage.electionsWon++;
    if (last !== undefined && last !== group.replicaId) this.#coverage.leaderChanges++;
    this.#event(node, () => `leads term ${group.term}`);
    // What the leader before has answered may not be applied here.
    for (let i = 0; i < READS_AFTER_ELECTION; i++) this.#reading.begin();
  }

  /** All is well again: the group finds together and every client gets its answer. */
  async #calm(): Promise<void> {
    const { hosts } = this;
    this.#event(undefined, () => 'faults are over');
    await this.#faults.end();
    const answered = (): boolean => {
      this.#check();
      return this.#counting.every(({ idle }) => idle);
    };
    await this.#live(() => hosts.until(answered, 'answers to all clients', CALM_TICKS_MAX));
    // Who the members are may change until then: a change that was begun is completed by whoever leads.
    await this.#live(() =>
      hosts.until(() => this.#membersAgree(), 'agreement of the members', CALM_TICKS_MAX),
    );
    this.#check();
    const leader = hosts.leaderOf()!;
    this.#checkState(leader, members(leader.group().configuration).map(nodeOf));
    this.#coverage.committed = leader.group().state.appliedIndex;
    this.#coverage.terms = leader.group().term;
  }

  /** The group is left alone, and the node of its leader dies without a word: the others have to miss it. */
  async #failAtRest(): Promise<void> {
    const { hosts } = this;
    const isAtRest = (): boolean => {
      const leader = hosts.leaderOf()?.group();
      return (
        leader !== undefined &&
        members(leader.configuration).every((id) => hosts.node(nodeOf(id)).host.group(1)?.isHibernating)
      );
    };
    await this.#live(() => hosts.until(isAtRest, 'rest of the group', REST_TICKS_MAX));
    const leader = hosts.leaderOf()!;
    // Fewer could not go on without it.
    if (leader.group().configuration.voters.length < 3) return;
    hosts.crash(leader.number);
    this.#event(leader, () => 'stops while its group is at rest');
    try {
      await hosts.until(() => hosts.leaderOf() !== undefined, 'another leader', FAILOVER_TICKS_MAX);
    } catch (error) {
      throw new Violation(`a leader that dies is replaced: ${(error as Error).message}`);
    }
    await hosts.startNode(leader.number);
    await this.#live(() =>
      hosts.until(() => this.#membersAgree(), 'agreement with the leader that died', CALM_TICKS_MAX),
    );
    this.#check();
  }

  /** There is a leader, no change of its members is under way, and all of them have applied what it has. */
  #membersAgree(): boolean {
    const group = this.hosts.leaderOf()?.group();
    if (group === undefined || group.configuration.votersOutgoing.length > 0) return false;
    const { lastIndex } = group.status();
    return members(group.configuration).every((id) => {
      const member = this.hosts.node(nodeOf(id)).host.group(1);
      return member?.replicaId === id && member.state.appliedIndex === lastIndex;
    });
  }

  /** A group that finds no rest is stuck, unless one of its nodes is broken. */
  async #live<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof Violation) throw error;
      this.#check();
      throw new LivenessViolation((error as Error).message);
    }
  }

  #checkState(leader: ConnectedNode, numbers: readonly number[]): void {
    const dump = leader.dump();
    for (const row of dump) for (let i = 0; i < row.length; i += 7) this.#hash.add(row.charCodeAt(i));
    const { configuration, state } = leader.group();
    for (const number of numbers) {
      const node = this.hosts.node(number);
      if (!isVoter(configuration, node.group().replicaId)) continue;
      const other = node.dump();
      const at = dump.findIndex((row, i) => row !== other[i]);
      if (at >= 0 || other.length !== dump.length) {
        throw new Violation(
          `equal replicas: node ${number} has ${other.length} rows, node ${leader.number} ${dump.length}; the first to differ is ${at}`,
        );
      }
    }
    const now_ms = leader.group().now();
    this.#plain.check((key) => state.kv.get(key, now_ms) !== undefined);
  }
}

function fatalViolation(number: number, error: Error): Violation {
  const violation = new Violation(`nodes live: node ${number} ended, ${error.name}: ${error.message}`);
  violation.cause = error;
  return violation;
}
