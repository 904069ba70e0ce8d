/**
 * Random runs: three to five replicas, writes from clients that repeat what was not answered, a network that loses,
 * repeats, delays and cuts, machines that stop, members that come and go. In the end, with all that over, every replica
 * has the same rows, and every counter the value that its client was told.
 *
 * `GOMSG_GROUP_SEEDS=200 npx vitest run server/src/groups/random-run.test.ts` plays more of them.
 */
import { describe, expect, it } from 'vitest';
import { nodeOf, replicaId } from '../cluster/replica-id.ts';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { isVoter, members } from '../raft/index.ts';
import type { Failure } from '../state/failure.ts';
import type { Group } from './group.ts';
import { ConnectedHosts } from './testing/connected-hosts.ts';
import { increment, set } from './testing/host-fixture.ts';

const SEEDS = Number(process.env.GOMSG_GROUP_SEEDS ?? 6);
const NODES = 5;
const STEPS = 120;
const CLIENTS = 4;

/** Refusals after which a client may try again: some leave it in doubt whether the write was done. */
const RETRYABLE: readonly unknown[] = [
  ErrorReason.NOT_LEADER,
  ErrorReason.NO_QUORUM,
  ErrorReason.OVERLOADED,
  ErrorReason.DRAINING,
];

/** Counts up one key in a session, one call after the other, each repeated until it is answered. */
class Client {
  readonly #hosts: ConnectedHosts;
  readonly #id: number;
  readonly problems: string[] = [];
  /** Answered increments. */
  done = 0;
  #sequence = 0;
  #calling = false;

  constructor(hosts: ConnectedHosts, id: number) {
    this.#hosts = hosts;
    this.#id = id;
  }

  get key(): string {
    return `count-${this.#id}`;
  }

  get idle(): boolean {
    return !this.#calling || this.problems.length > 0;
  }

  begin(): void {
    if (this.#calling) return;
    this.#calling = true;
    this.#sequence++;
    this.#try();
  }

  /** A call that its node took to the grave is made again. */
  #try(): void {
    const target = this.#target();
    if (target === undefined) {
      this.#again();
      return;
    }
    const { number, group } = target;
    const session = {
      sessionId: BigInt(this.#id) << 22n,
      sequence: this.#sequence,
      answeredBelow: this.#sequence,
      // The first call may find that nobody knows the session yet, however often it is made.
      retry: this.done > 0,
    };
    const gone = this.#hosts.whenDown(number);
    Promise.race([increment(group, this.key, session), gone]).then(
      (value) => {
        if (value === undefined) return this.#again();
        this.done++;
        if (value !== BigInt(this.done)) this.problems.push(`${this.key} is ${value}, not ${this.done}`);
        this.#calling = false;
      },
      (failure: Failure) => {
        if (RETRYABLE.includes(failure.reason)) this.#again();
        else this.problems.push(`${this.key}: ${failure.message}`);
      },
    );
  }

  #again(): void {
    this.#hosts.later(1 + this.#hosts.random.below(4), () => this.#try());
  }

  #target(): { readonly number: number; readonly group: Group } | undefined {
    const up = this.#hosts.nodes.filter((node) => node.up && node.host.group(1) !== undefined);
    const leader = this.#hosts.leaderOf();
    const node = leader ?? (up.length > 0 ? this.#hosts.random.pick(up) : undefined);
    if (node === undefined) return undefined;
    return { number: node.number, group: node.group() };
  }
}

class Run {
  readonly hosts: ConnectedHosts;
  readonly clients: Client[];
  readonly down = new Set<number>();

  constructor(seed: number) {
    this.hosts = new ConnectedHosts({ nodes: NODES, seed, segmentBytes: 8192 });
    this.clients = Array.from({ length: CLIENTS }, (_, i) => new Client(this.hosts, i + 1));
  }

  async play(): Promise<void> {
    const { hosts } = this;
    await hosts.start();
    await hosts.found([1, 2, 3]);
    await hosts.leader();
    for (let step = 0; step < STEPS; step++) {
      for (const client of this.clients) client.begin();
      await this.#act(hosts.random.below(16));
      await hosts.ticks(1 + hosts.random.below(4), 4 + hosts.random.below(20));
      expect(hosts.nodes.flatMap(({ fatal }) => fatal)).toEqual([]);
    }
    await this.#calm();
  }

  async #act(kind: number): Promise<void> {
    const { hosts } = this;
    const { random, weather } = hosts;
    const node = random.pick(hosts.nodes);
    switch (kind) {
      case 0:
        weather.loss = random.pick([0, 0, 0.02, 0.2]);
        weather.duplication = random.pick([0, 0.1]);
        weather.delay_ticks = random.pick([0, 0, 1, 3]);
        return;
      case 1:
        hosts.isolate(node.number);
        return;
      case 2:
        hosts.isolate(node.number, [random.pick(hosts.nodes).number]);
        return;
      case 3:
      case 4:
        hosts.heal();
        return;
      case 5:
        if (!node.up || this.down.size >= 2) return;
        hosts.crash(node.number);
        this.down.add(node.number);
        return;
      case 6:
      case 7:
        for (const number of this.down) await hosts.startNode(number);
        this.down.clear();
        return;
      case 8:
      case 9:
        for (const { up, host } of hosts.nodes) if (up) void host.checkpoint();
        return;
      case 10: {
        const leader = hosts.leaderOf();
        if (leader === undefined) return;
        const value = 'x'.repeat(random.below(4000));
        for (let i = 0; i < 10; i++) set(leader.group(), `key-${random.below(30)}`, value).catch(() => {});
        return;
      }
      case 11: {
        const group = hosts.leaderOf()?.group();
        const to = group && random.pick(group.configuration.voters);
        if (group !== undefined && to !== group.replicaId) attempt(() => group.transferLeadership(to!));
        return;
      }
      case 12:
        // A disk that takes its time, until it is let go or the machine stops.
        if (node.up) node.walDisk.holdSyncs();
        return;
      case 13:
        for (const { walDisk } of hosts.nodes) walDisk.releaseSyncs();
        if (!random.chance(0.5)) return;
        for (const client of this.clients) client.begin();
        await hosts.settle(random.below(8));
        for (const { number, up } of hosts.nodes) {
          if (up) hosts.crash(number);
          this.down.add(number);
        }
        return;
      default:
        this.#changeMembers();
    }
  }

  /** As the reconciler does: learners first, votes once they have caught up, removed replicas destroyed. */
  #changeMembers(): void {
    const { hosts } = this;
    const { random } = hosts;
    const leader = hosts.leaderOf();
    if (leader === undefined) return;
    const group = leader.group();
    const { configuration } = group;
    const there = members(configuration);
    for (const node of hosts.nodes) {
      const own = node.up ? node.host.group(1) : undefined;
      if (own === undefined || there.includes(own.replicaId) || own.status().commit > group.status().commit)
        continue;
      // In neither the configuration nor on its way into it.
      if (!this.#joining.has(own.replicaId)) {
        node.host.destroy(1).catch(() => {});
      }
    }
    const ready = group.progress().find(({ learner, caughtUp }) => learner && caughtUp);
    attempt(() => {
      if (ready !== undefined) {
        const leaving = configuration.voters.find((id) => id !== group.replicaId);
        this.#change(group, [
          { type: 'add-voter', node: ready.replicaId },
          ...(configuration.voters.length >= 3 && leaving
            ? [{ type: 'remove' as const, node: leaving }]
            : []),
        ]);
        return;
      }
      const free = hosts.nodes.filter(({ number }) => !there.some((id) => nodeOf(id) === number));
      if (free.length === 0 || configuration.learners.length > 0) return;
      const { number } = random.pick(free);
      const id = replicaId(number, ++this.#incarnation);
      this.#joining.add(id);
      this.#change(group, [{ type: 'add-learner', node: id }]);
    });
  }

  #incarnation = 0;
  readonly #joining = new Set<number>();

  #change(group: Group, changes: { type: 'add-voter' | 'add-learner' | 'remove'; node: number }[]): void {
    group.changeMembers({ kind: 'change', changes, transition: 'automatic' });
    for (const { type, node } of changes) if (type === 'remove') this.#joining.delete(node);
  }

  /** All is well again: the group finds together and every client gets its answer. */
  async #calm(): Promise<void> {
    const { hosts } = this;
    hosts.heal();
    for (const { walDisk } of hosts.nodes) walDisk.releaseSyncs();
    Object.assign(hosts.weather, { loss: 0, duplication: 0, delay_ticks: 0 });
    for (const number of this.down) await hosts.startNode(number);
    this.down.clear();
    await hosts.until(() => this.clients.every(({ idle }) => idle), 'answers to all clients', 600);
    const leader = await hosts.leader();
    const { configuration } = leader.group();
    const numbers = members(configuration).map(nodeOf);
    await hosts.agree(1, numbers);
    for (const client of this.clients) expect(client.problems).toEqual([]);
    const dump = leader.dump();
    for (const number of numbers) {
      const node = hosts.node(number);
      if (!isVoter(configuration, node.group().replicaId)) continue;
      expect(node.dump()).toEqual(dump);
    }
    expect(hosts.nodes.flatMap(({ bugs }) => bugs)).toEqual([]);
  }
}

function attempt(act: () => void): void {
  try {
    act();
  } catch (error) {
    const { name } = error as Error;
    if (
      ![
        'ConfigurationRefusedError',
        'ProposalDroppedError',
        'NotLeaderError',
        'TransferRefusedError',
      ].includes(name)
    ) {
      throw error;
    }
  }
}

describe('a random run', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    'ends with equal replicas and right counters: seed %i',
    async (seed) => {
      await new Run(seed).play();
    },
    60_000,
  );
});
