/** The way to a server that can fall silent, as when packets are dropped or the server is stopped. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class SilenceableWire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #awaitingConnection: (() => void)[] = [];
  #isSilent = false;
  #waiters: { left: number; readonly resolve: () => void }[] = [];

  /** To `host:port`. */
  static async to(target: string): Promise<SilenceableWire> {
    const wire = new SilenceableWire(Number(target.split(':').at(-1)));
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  private constructor(port: number) {
    this.#server = createServer((near) => {
      for (const resolve of this.#awaitingConnection.splice(0)) resolve();
      const far = connect(port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (bytes) => {
          to.write(bytes);
          this.#moved();
        });
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        if (this.#isSilent) from.pause();
      }
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Bytes stay where they are, and connections stand; new ones are taken and silent, too. */
  silence(): void {
    this.#isSilent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Resolves with the next connection. */
  connected(): Promise<void> {
    return new Promise((resolve) => this.#awaitingConnection.push(resolve));
  }

  /** Resolves once so many more pieces have moved, in both directions together: a ping and its answer are two. */
  moved(pieces: number): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ left: pieces, resolve }));
  }

  /** What was held back moves on. */
  resume(): void {
    this.#isSilent = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #moved(): void {
    for (const waiter of this.#waiters) {
      waiter.left -= 1;
      if (waiter.left === 0) waiter.resolve();
    }
    this.#waiters = this.#waiters.filter(({ left }) => left > 0);
  }
}
