/**
 * The lanes of a client. All calls go over the first one, to whichever of the given addresses answers, until the
 * topology says that there are several nodes; then each call goes straight to the node that leads its slot.
 *
 * A node that runs alone is never reached by the address that it tells: what was given may be that of a proxy.
 */
import { ClusterService, type ClusterServiceGetTopologyResponse } from '../gen/gomsg/v1/cluster_pb.js';
import { Topology } from '../routing/topology.ts';
import type { ConnectionOptions } from './connection.ts';
import { Lane, type LaneListener } from './lane.ts';
import { pipelineMethod } from './method.ts';

/** Ways to nodes of their own; calls to further nodes go through the first lane and are passed on. */
const LEADER_LANES_MAX = 64;

/** The topology is asked for no more often than this. */
const REFRESH_INTERVAL_MS = 500;

/**
 * While a node is connected the topology is asked for this often, whatever happens: nodes that join are of no use to a
 * client that never hears of them, and when the last one that it knows leaves, it has nowhere to go.
 */
const RENEWAL_INTERVAL_MS = 5_000;

export const getTopology = pipelineMethod(ClusterService.method.getTopology);

export class Lanes {
  /** Takes all that has no better way. */
  readonly home: Lane;
  readonly #options: ConnectionOptions;
  readonly #listener: LaneListener;
  readonly #fetch: () => void;
  readonly #leaders = new Map<string, Lane>();
  #topology: Topology | undefined;
  #fetching = false;
  #fetchedAt_ms = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #closed = false;

  /** `fetch` asks for the topology and answers later through `learn` or `fetchFailed`. */
  constructor(options: ConnectionOptions, listener: LaneListener, fetch: () => void) {
    this.#options = options;
    this.#listener = listener;
    this.#fetch = fetch;
    this.home = new Lane(options, listener);
  }

  get all(): Lane[] {
    return [this.home, ...this.#leaders.values()];
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
    if (name === undefined || !this.#topology?.isCluster) return this.home;
    const lane = this.laneTo(this.#topology.leaderOf(name));
    if (lane === undefined || lane.connection.stands || mayWait || !this.home.connection.stands) {
      return lane ?? this.home;
    }
    lane.connection.want();
    return this.home;
  }

  /** The lane to one node; undefined when it cannot be reached now, or there are too many. */
  laneTo(address: string | undefined): Lane | undefined {
    if (address === undefined || this.#closed) return undefined;
    if (this.home.connection.writable && this.home.address === address) return this.home;
    let lane = this.#leaders.get(address);
    if (lane === undefined) {
      if (this.#leaders.size >= LEADER_LANES_MAX) return undefined;
      lane = new Lane({ ...this.#options, addresses: [address] }, this.#listener);
      lane.outbox.topologyEpoch = Number(this.#topology?.epoch ?? 0n);
      this.#leaders.set(address, lane);
    }
    if (!lane.connection.isFailing) return lane;
    lane.connection.want();
    return undefined;
  }

  /** A node was tried in vain last. */
  isFailing(address: string): boolean {
    return this.#leaders.get(address)?.connection.isFailing ?? false;
  }

  /** A lane to another node than this one leads to; undefined when there is none that may answer. */
  laneBeside({ address }: Lane): Lane | undefined {
    const lanes = this.home.connection.addresses
      .filter((other) => other !== address)
      .map((other) => this.laneTo(other))
      .filter((lane) => lane !== undefined);
    return lanes.find(({ connection }) => connection.stands) ?? lanes[0];
  }

  /** A hint of a server is followed unless the server runs alone. */
  laneToHint(address: string | undefined): Lane | undefined {
    return this.#topology?.isCluster === false ? undefined : this.laneTo(address);
  }

  /** Sees to it that the topology is asked for soon; tells in how many milliseconds. */
  refresh(): number {
    const wait_ms = Math.max(0, this.#fetchedAt_ms + REFRESH_INTERVAL_MS - performance.now());
    if (this.#fetching || this.#timer !== undefined || this.#closed) return wait_ms;
    if (wait_ms === 0) this.#fetchNow();
    else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#fetchNow();
      }, wait_ms);
    }
    return wait_ms;
  }

  learn(response: ClusterServiceGetTopologyResponse): void {
    this.#fetching = false;
    const topology = new Topology(response);
    if (this.#topology !== undefined && topology.epoch < this.#topology.epoch) return;
    this.#topology = topology;
    this.home.connection.setFurtherAddresses(topology.isCluster ? topology.addresses : []);
    for (const lane of this.#leaders.values()) lane.outbox.topologyEpoch = Number(topology.epoch);
    for (const [address, lane] of this.#leaders) {
      if (topology.addresses.includes(address) || lane.outbox.calls.length > 0) continue;
      this.#leaders.delete(address);
      lane.destroy();
    }
  }

  fetchFailed(): void {
    this.#fetching = false;
  }

  /** Asks for nothing more, so that what is there can end. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#renewal);
  }

  #fetchNow(): void {
    // Never a reason to connect, nor for the process to go on.
    this.#renewal ??= setInterval(() => {
      if (this.home.connection.stands) this.refresh();
    }, RENEWAL_INTERVAL_MS).unref();
    this.#fetching = true;
    this.#fetchedAt_ms = performance.now();
    this.#fetch();
  }
}
