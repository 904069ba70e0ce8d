/** The wires of one client: one to each node, which a case handles as one. */
import type { ServerFixture } from '../server/server-fixture.ts';
import { AddressRewriter } from './address-rewriter.ts';
import { type Direction, Link } from './link.ts';

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

  /** Each wire counts its own bytes and cuts. */
  cutEvery(bytes: number, times: number): void {
    for (const link of this.#links) link.cutEvery(bytes, times);
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
