/** A TCP proxy that tests cut, silence and mend: stands for the network between two nodes. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: () => { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #isSilent = false;
  /** Connections that were opened through it. */
  opened = 0;

  /** A listening proxy to wherever `target` says when a connection comes. */
  static async open(target: () => { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  private constructor(target: () => { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends all connections, and every new one until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Passes nothing on any more, and keeps the connections: a peer that hangs, or a network that drops packets. */
  silence(): void {
    this.#isSilent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Connections pass again; those that were silent are ended. */
  mend(): void {
    this.#isCut = false;
    this.#isSilent = false;
    for (const socket of this.#sockets) if (socket.isPaused()) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(near: Socket): void {
    this.opened += 1;
    if (this.#isCut) {
      near.destroy();
      return;
    }
    const far = connect(this.#target());
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('data', (bytes) => {
        if (!other.write(bytes)) {
          one.pause();
          other.once('drain', () => {
            if (!this.#isSilent) one.resume();
          });
        }
      });
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      if (this.#isSilent) one.pause();
    }
  }
}
