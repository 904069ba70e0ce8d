/** The wires of one client: one to each node, which a case handles as one. */
import type { ServerFixture } from '../server/server-fixture.ts';
import { AddressRewriter } from './address-rewriter.ts';
import { CutPlan, type Direction, Link } from './link.ts';

export class Wires {
  readonly #links: readonly Link[];

  /** The client is told the addresses of its own wires, wherever nodes tell it theirs. */
  static async open(server: ServerFixture): Promise<Wires> {
    const { advertised } = server;
    const links: Link[] = [];
    const rewritten = () =>
      new AddressRewriter(new Map(advertised.map((address, i) => [address, links[i]!.address])));
    for (const node of server.nodes.keys()) {
      const target = () => server.nodes[node];
      links.push(await (advertised.length === 0 ? Link.open(target) : Link.open(target, rewritten)));
    }
    return new Wires(links);
  }

  private constructor(links: readonly Link[]) {
    this.#links = links;
  }

  get addresses(): readonly string[] {
    return this.#links.map(({ address }) => address);
  }

  cut(): void {
    for (const link of this.#links) link.cut();
  }

  stall(...directions: readonly Direction[]): void {
    for (const link of this.#links) link.stall(...directions);
  }

  resume(): void {
    for (const link of this.#links) link.resume();
  }

  delay(time_ms: number): void {
    for (const link of this.#links) link.delay(time_ms);
  }

  /** All wires count together: there are no more cuts where there are more nodes. */
  cutEvery(bytes: number, times: number): void {
    const plan = new CutPlan(bytes, times);
    for (const link of this.#links) link.cutBy(plan);
  }

  async refuse(): Promise<void> {
    for (const link of this.#links) await link.refuse();
  }

  async accept(): Promise<void> {
    for (const link of this.#links) await link.accept();
  }

  /** Resolves once a connection to any node is open. */
  async connected(): Promise<void> {
    await Promise.race(this.#links.map((link) => link.connected()));
  }

  close(): void {
    for (const link of this.#links) link.close();
  }
}
