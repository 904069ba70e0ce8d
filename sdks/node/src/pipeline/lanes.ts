/**
 * The lanes of a client, one to each node that it has dealt with. All calls go over the home lane, to one of the given
 * addresses, until the topology says that there are several nodes; then each call goes straight to the node that leads
 * its slot. Home is elsewhere as soon as its node is lost, or has no leader to offer.
 *
 * A node that runs alone is never reached by the address that it tells: what was given may be that of a proxy.
 */
import type { GomsgError } from '../errors.ts';
import { ClusterService, type ClusterServiceGetTopologyResponse } from '../gen/gomsg/v1/cluster_pb.js';
import { Topology } from '../routing/topology.ts';
import type { ConnectionOptions } from './connection.ts';
import { Lane, type LaneListener } from './lane.ts';
import { pipelineMethod } from './method.ts';

/** Calls to further nodes go through the home lane and are passed on. */
const LANES_MAX = 64;

/** The topology is asked for no more often than this. */
const REFRESH_INTERVAL_MS = 500;

/**
 * While a node is connected the topology is asked for this often, whatever happens: nodes that join are of no use to a
 * client that never hears of them, and when the last one that it knows leaves, it has nowhere to go.
 */
const RENEWAL_INTERVAL_MS = 5_000;

/** A node that was left so long ago is as good as any. */
const LEFT_MS = 10_000;

export const getTopology = pipelineMethod(ClusterService.method.getTopology);

export interface LanesOptions extends ConnectionOptions {
  /** Nodes that were given, the one to begin with first. */
  readonly addresses: readonly string[];
  /** Calls are told when no node answered for this long. */
  readonly unreachableTimeout_ms: number;
}

export interface LanesListener extends Omit<LaneListener, 'onLost'> {
  /** What was sent and not answered may or may not have arrived. Home is elsewhere by now, if anywhere. */
  onLost(lane: Lane, error: GomsgError): void;
  /** No node has answered for longer than `unreachableTimeout_ms`. Follows `onLost`. */
  onUnreachable(error: GomsgError): void;
  /** Asks the node of a lane for the topology, and answers later through `learn` or `fetchFailed`. */
  fetch(lane: Lane): void;
}

export class Lanes {
  readonly #options: LanesOptions;
  readonly #listener: LanesListener;
  readonly #lanes = new Map<string, Lane>();
  /** Those that were given, then those that the topology has beside them. */
  #addresses: readonly string[];
  #home: Lane;
  /** When nodes were left that had no leader to offer, or were shutting down. */
  readonly #leftAt_ms = new Map<string, number>();
  #failingSince_ms: number | undefined;
  #topology: Topology | undefined;
  #learnedAt_ms = 0;
  /** Its node is being asked for the topology. */
  #asked: Lane | undefined;
  #fetchedAt_ms = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LanesOptions, listener: LanesListener) {
    this.#options = options;
    this.#listener = listener;
    this.#addresses = [...new Set(options.addresses)];
    this.#home = this.#lane(this.#addresses[0]!);
  }

  /** Takes all that has no better way. */
  get home(): Lane {
    return this.#home;
  }

  get all(): Lane[] {
    return [...this.#lanes.values()];
  }

  get topology(): Topology | undefined {
    return this.#topology;
  }

  /**
   * The lane for a call of this name. Any node passes a call on, so nothing waits for a connection to the leader while
   * another one stands, unless `mayWait`: what servers tell as their addresses may lead nowhere from here. Meanwhile that
   * connection is tried.
   */
  laneFor(name: string | undefined, mayWait: boolean): Lane {
    const { home } = this;
    if (name === undefined || !this.#topology?.isCluster) return home;
    const lane = this.#laneTo(this.#topology.leaderOf(name));
    if (lane === undefined || this.#isLeft(lane.address)) return home;
    if (lane.connection.stands || mayWait || !home.connection.stands) return lane;
    lane.connection.want();
    return home;
  }

  /** A hint of a server is followed unless the server runs alone. */
  laneToHint(address: string | undefined): Lane | undefined {
    return this.#topology?.isCluster === false ? undefined : this.#laneTo(address);
  }

  /**
   * Home unless that is this lane; otherwise another node that does not fail: the one that was left longest ago, so that
   * all of them have their turn, and rather one that stands. Undefined = there is none.
   */
  laneBeside({ address }: Lane): Lane | undefined {
    if (this.home.address !== address && this.home.isGood) return this.home;
    const leftSince_ms = performance.now() - LEFT_MS;
    const leftAt_ms = (lane: Lane) => Math.max(leftSince_ms, this.#leftAt_ms.get(lane.address) ?? 0);
    return this.#after(address)
      .map((other) => this.#laneTo(other))
      .filter((lane) => lane !== undefined)
      .sort((a, b) => leftAt_ms(a) - leftAt_ms(b) || Number(b.isGood) - Number(a.isGood))[0];
  }

  /** Where a stream of this name may go, the node that leads it first; those that are of no use now come last. */
  addressesFor(name: string | undefined): readonly string[] {
    const leader =
      name !== undefined && this.#topology?.isCluster ? this.#topology.leaderOf(name) : undefined;
    const known = [...(leader === undefined ? [] : [leader]), this.home.address, ...this.#addresses];
    const useless = (address: string) =>
      this.#isLeft(address) || (this.#lanes.get(address)?.connection.isFailing ?? false);
    return [...new Set([...known.filter((address) => !useless(address)), ...known])];
  }

  /**
   * A node has no leader to offer, or shuts down. Until the topology is learned again, from another node, it is taken for
   * the leader of nothing. With no other node that may answer it stays home.
   */
  leave(address: string): void {
    this.#leftAt_ms.set(address, performance.now());
    if (this.home.address !== address) return;
    const beside = this.laneBeside(this.home);
    if (beside !== undefined) this.#moveHome(beside);
  }

  /** Whoever led the slot of this name does not any more. */
  leaveLeader(name: string | undefined): void {
    const leader = name === undefined ? undefined : this.#topology?.leaderOf(name);
    if (leader !== undefined) this.leave(leader);
  }

  /** Sees to it that the topology is asked for soon; tells in how many milliseconds. */
  refresh(): number {
    const wait_ms = Math.max(0, this.#fetchedAt_ms + REFRESH_INTERVAL_MS - performance.now());
    if (this.#asked !== undefined || this.#timer !== undefined || this.#closed) return wait_ms;
    if (wait_ms === 0) this.#fetchNow();
    else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#fetchNow();
      }, wait_ms);
    }
    return wait_ms;
  }

  /** What the node of a lane answered. It is of no use once that node was left. */
  learn(from: Lane, response: ClusterServiceGetTopologyResponse): void {
    if (this.#asked !== from) return;
    this.#asked = undefined;
    const topology = new Topology(response);
    if (this.#topology !== undefined && topology.epoch < this.#topology.epoch) return;
    this.#topology = topology;
    this.#learnedAt_ms = performance.now();
    const { addresses } = this.#options;
    this.#addresses = [...new Set([...addresses, ...(topology.isCluster ? topology.addresses : [])])];
    for (const address of this.#leftAt_ms.keys()) {
      if (!this.#addresses.includes(address)) this.#leftAt_ms.delete(address);
    }
    for (const [address, lane] of this.#lanes) {
      if (this.#addresses.includes(address) || lane === this.home || lane.outbox.calls.length > 0) continue;
      this.#lanes.delete(address);
      lane.destroy();
    }
    this.#sayEpoch();
  }

  fetchFailed(from: Lane): void {
    if (this.#asked === from) this.#asked = undefined;
  }

  /** Asks for nothing more, so that what is there can end. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#renewal);
  }

  /** It was left, and the topology was not learned since. */
  #isLeft(address: string): boolean {
    return (this.#leftAt_ms.get(address) ?? 0) > this.#learnedAt_ms;
  }

  /** The lane to one node; undefined when it fails, or there are too many. One that fails is tried. */
  #laneTo(address: string | undefined): Lane | undefined {
    if (address === undefined || this.#closed) return undefined;
    if (!this.#lanes.has(address) && this.#lanes.size >= LANES_MAX) return undefined;
    const lane = this.#lane(address);
    if (!lane.connection.isFailing) return lane;
    lane.connection.want();
    return undefined;
  }

  #lane(address: string): Lane {
    let lane = this.#lanes.get(address);
    if (lane === undefined) {
      lane = new Lane(address, this.#options, {
        place: (call, now_ms) => this.#listener.place(call, now_ms),
        onConnected: (connected) => this.#listener.onConnected(connected),
        onFrame: (from, frame) => {
          this.#answered(from);
          this.#listener.onFrame(from, frame);
        },
        onLost: (lost, error, since_ms) => this.#lost(lost, error, since_ms),
      });
      this.#lanes.set(address, lane);
      lane.outbox.topologyEpoch = this.#epoch;
    }
    return lane;
  }

  #answered(lane: Lane): void {
    this.#failingSince_ms = undefined;
    const { home } = this;
    if (home.connection.stands || lane === home || this.#isLeft(lane.address) || this.#closed) return;
    this.#moveHome(lane);
    for (const call of home.outbox.takeReady()) {
      call.lane = lane;
      lane.outbox.enqueue(call);
    }
  }

  #lost(lane: Lane, error: GomsgError, since_ms: number): void {
    const wasHome = lane === this.home;
    if (wasHome && !this.#closed) {
      // With none that may answer, they are tried one after the other.
      const next = this.laneBeside(lane) ?? this.#lane(this.#after(lane.address)[0] ?? lane.address);
      if (next !== lane) this.#moveHome(next);
    }
    this.#listener.onLost(lane, error);
    if (!wasHome || this.all.some(({ connection }) => connection.stands)) return;
    this.#failingSince_ms ??= since_ms;
    if (performance.now() - this.#failingSince_ms >= this.#options.unreachableTimeout_ms) {
      this.#listener.onUnreachable(error);
    }
  }

  /** All other nodes, those first that come behind this one. */
  #after(address: string): readonly string[] {
    const position = this.#addresses.indexOf(address);
    return [...this.#addresses.slice(position + 1), ...this.#addresses.slice(0, Math.max(0, position))];
  }

  #moveHome(lane: Lane): void {
    // What the node that was left answers is not waited for.
    if (this.#asked === this.home) this.#asked = undefined;
    this.#home = lane;
  }

  /** Also home: a node that is cut off tells at once whoever says that it knows other nodes. */
  #sayEpoch(): void {
    for (const lane of this.all) lane.outbox.topologyEpoch = this.#epoch;
  }

  /** Of the slot map by which calls go where they go; 0 = of none. */
  get #epoch(): number {
    return this.#topology?.isCluster ? Number(this.#topology.epoch) : 0;
  }

  #fetchNow(): void {
    // Never a reason to connect, nor for the process to go on.
    this.#renewal ??= setInterval(() => {
      if (this.home.connection.stands) this.refresh();
    }, RENEWAL_INTERVAL_MS).unref();
    this.#asked = this.home;
    this.#fetchedAt_ms = performance.now();
    this.#listener.fetch(this.home);
  }
}
