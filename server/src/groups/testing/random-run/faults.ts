/** What goes wrong in a random run of whole hosts, and its end. */
import { Violation } from '../../../raft/testing/checker.ts';
import type { ConnectedNode, SimulatedHosts, Weather } from '../simulated-hosts.ts';
import type { Coverage } from './coverage.ts';

/** More are never down at once, but for a power cut: the group shall go on. */
const DOWN_MAX = 2;

const CLEAR: Weather = { loss: 0, duplication: 0, delay_ticks: 0, stragglers: 0 };

export class Faults {
  readonly #hosts: SimulatedHosts;
  readonly #coverage: Coverage;
  readonly #down = new Set<number>();
  /** Nodes of which a sync was made to fail. */
  readonly #failing = new Set<ConnectedNode>();

  constructor(hosts: SimulatedHosts, coverage: Coverage) {
    this.#hosts = hosts;
    this.#coverage = coverage;
  }

  weather(): void {
    const { random, weather } = this.#hosts;
    weather.loss = random.pick([0, 0, 0.02, 0.2]);
    weather.duplication = random.pick([0, 0.1]);
    weather.delay_ticks = random.pick([0, 0, 1, 3]);
    weather.stragglers = random.pick([0, 0.01, 0.05]);
  }

  isolate(node: ConnectedNode): void {
    this.#hosts.isolate(node.number);
    this.#coverage.isolations++;
  }

  cutLink(node: ConnectedNode, other: ConnectedNode): void {
    if (this.#hosts.random.chance(0.5)) {
      this.#hosts.cut(node.number, other.number);
      this.#coverage.oneWayCuts++;
    } else {
      this.#hosts.isolate(node.number, [other.number]);
      this.#coverage.pairCuts++;
    }
  }

  crash(node: ConnectedNode): void {
    if (node.up && this.#down.size < DOWN_MAX) this.#crash(node);
  }

  /** All machines stop at once. */
  powerCut(): void {
    for (const node of this.#hosts.nodes) if (node.up) this.#crash(node);
    this.#coverage.powerCuts++;
  }

  #crash(node: ConnectedNode): void {
    this.#hosts.crash(node.number);
    node.walDisk.clearFaults();
    if (this.#failing.delete(node)) {
      // That it ended was expected, and what was under way may have met the failure too.
      node.fatal.length = 0;
      node.bugs.length = 0;
    }
    this.#down.add(node.number);
    this.#coverage.crashes++;
  }

  async restart(): Promise<void> {
    for (const number of this.#down) {
      await this.#start(number);
      this.#coverage.restarts++;
    }
    this.#down.clear();
  }

  async #start(number: number): Promise<void> {
    try {
      await this.#hosts.startNode(number);
    } catch (error) {
      const { name, message } = error as Error;
      throw new Violation(`nodes start: node ${number}, ${name}: ${message}`);
    }
  }

  /** A disk that takes its time, until it is let go or the machine stops. */
  holdSyncs(node: ConnectedNode): void {
    if (!node.up) return;
    node.walDisk.holdSyncs();
    this.#coverage.heldSyncs++;
  }

  releaseSyncs(): void {
    for (const { walDisk } of this.#hosts.nodes) walDisk.releaseSyncs();
  }

  /** The next sync of the log fails: the node has to end. */
  failSync(node: ConnectedNode): void {
    if (!node.up || this.#failing.has(node) || this.#down.size + this.#failing.size >= DOWN_MAX) return;
    node.walDisk.fail('fdatasync');
    this.#failing.add(node);
    this.#coverage.failedSyncs++;
  }

  /** Nodes whose disk failed have ended, and their machines with them. */
  reap(): void {
    for (const node of [...this.#failing]) if (node.fatal.length > 0) this.#crash(node);
  }

  /** A store that takes nothing more: nobody but the leader applies. */
  holdStore(node: ConnectedNode): void {
    if (!node.up) return;
    node.crashable.blocked = true;
    this.#coverage.heldStores++;
  }

  releaseStores(): void {
    for (const node of this.#hosts.nodes) {
      if (!node.up || !node.crashable.blocked) continue;
      node.crashable.blocked = false;
      node.host.resume();
    }
  }

  async end(): Promise<void> {
    this.#hosts.heal();
    this.releaseSyncs();
    this.releaseStores();
    Object.assign(this.#hosts.weather, CLEAR);
    // The failure may be under way.
    for (const node of [...this.#failing]) this.#crash(node);
    await this.restart();
  }
}
