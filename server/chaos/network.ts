/**
 * The network of a run: each node is reached through a door of it, which knows who knocks. So the way from any one
 * party to any other can be blocked, slowed down or broken, in one direction or both.
 *
 * A blocked way is silent, as when packets are dropped: bytes stay where they are and go on when it is opened, ends of
 * connections are not told either, and a new connection is taken but hears nothing.
 */
import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';
import { ownerOfConnection } from './socket-owner.ts';

/** A node by its name, or whoever is no node. */
export type Party = string;
export const CLIENTS: Party = 'clients';

/** Bytes that wait in one direction of one connection; past it the sender has to wait, as with a full TCP window. */
const HELD_BYTES_MAX = 4 * 2 ** 20;

export class Network {
  readonly #doors = new Map<Party, Door>();
  readonly #blocked = new Set<string>();
  readonly #delays_ms = new Map<string, number>();

  /** Opens the way to a node. */
  async open(name: Party): Promise<Door> {
    const door = await Door.open(name, this);
    this.#doors.set(name, door);
    return door;
  }

  mayMove(from: Party, to: Party): boolean {
    return !this.#blocked.has(way(from, to));
  }

  delay_ms(from: Party, to: Party): number {
    return this.#delays_ms.get(way(from, to)) ?? 0;
  }

  block(from: Party, to: Party): void {
    this.#blocked.add(way(from, to));
  }

  delay(from: Party, to: Party, time_ms: number): void {
    this.#delays_ms.set(way(from, to), time_ms);
  }

  /** Breaks every connection between two parties, as both are told. */
  cut(one: Party, other: Party): void {
    for (const door of this.#doors.values()) door.cut(one, other);
  }

  /** Opens all ways again; what waited moves on. */
  heal(): void {
    this.#blocked.clear();
    this.#delays_ms.clear();
    for (const door of this.#doors.values()) door.pump();
  }

  /** Which of the nodes has this connection. */
  whoDialled(fromPort: number, toPort: number): Party {
    const byPid = new Map<number, Party>();
    for (const { name, pid } of this.#doors.values()) if (pid !== undefined) byPid.set(pid, name);
    const pid = ownerOfConnection(fromPort, toPort, byPid.keys());
    return pid === undefined ? CLIENTS : byPid.get(pid)!;
  }

  close(): void {
    for (const door of this.#doors.values()) door.close();
  }
}

/** What a node advertises: everybody else reaches it here. */
export class Door {
  readonly name: Party;
  /** Where the node listens; undefined while it does not. */
  target: number | undefined;
  /** The process of the node, while it has one. */
  pid: number | undefined;
  readonly #network: Network;
  readonly #server: Server;
  readonly #wires = new Set<Wire>();
  #port = 0;

  private constructor(name: Party, network: Network) {
    this.name = name;
    this.#network = network;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#connected(socket));
  }

  static async open(name: Party, network: Network): Promise<Door> {
    const door = new Door(name, network);
    door.#server.listen(0, '127.0.0.1');
    await once(door.#server, 'listening');
    door.#port = (door.#server.address() as { port: number }).port;
    return door;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  cut(one: Party, other: Party): void {
    for (const wire of this.#wires) if (wire.isBetween(one, other)) wire.cut();
  }

  pump(): void {
    for (const wire of this.#wires) wire.pump();
  }

  close(): void {
    this.#server.close();
    for (const wire of this.#wires) wire.cut();
  }

  #connected(socket: Socket): void {
    if (this.target === undefined) {
      socket.resetAndDestroy();
      return;
    }
    const dialler = this.#network.whoDialled(socket.remotePort ?? 0, this.#port);
    const wire = new Wire(this.#network, dialler, this.name, socket, this.target, () =>
      this.#wires.delete(wire),
    );
    this.#wires.add(wire);
  }
}

/** One connection through a door. */
class Wire {
  readonly #dialler: Party;
  readonly #node: Party;
  readonly #sockets: readonly [Socket, Socket];
  readonly #ways: readonly [Way, Way];
  readonly #ended: () => void;
  #isCut = false;

  constructor(
    network: Network,
    dialler: Party,
    node: Party,
    socket: Socket,
    port: number,
    ended: () => void,
  ) {
    this.#dialler = dialler;
    this.#node = node;
    this.#ended = ended;
    const onward = new Socket({ allowHalfOpen: true });
    onward.setNoDelay(true);
    this.#sockets = [socket, onward];
    const cut = (): void => this.cut();
    this.#ways = [
      new Way(network, dialler, node, socket, onward, cut),
      new Way(network, node, dialler, onward, socket, cut),
    ];
    onward.connect(port, '127.0.0.1');
  }

  isBetween(one: Party, other: Party): boolean {
    return (this.#dialler === one && this.#node === other) || (this.#dialler === other && this.#node === one);
  }

  pump(): void {
    for (const each of this.#ways) each.pump();
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const each of this.#ways) each.stop();
    for (const socket of this.#sockets) {
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
    }
    this.#ended();
  }
}

/** One direction of a connection: what came and has not gone on. */
class Way {
  readonly #network: Network;
  readonly #from: Party;
  readonly #to: Party;
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #cut: () => void;
  readonly #held: { readonly piece: Buffer; readonly due_ms: number }[] = [];
  #heldBytes = 0;
  /** No more comes: the sender has finished, or its end of the connection is gone. */
  #over: 'finished' | 'gone' | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(network: Network, from: Party, to: Party, source: Socket, sink: Socket, cut: () => void) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#source = source;
    this.#sink = sink;
    this.#cut = cut;
    source.on('data', (piece: Buffer) => {
      this.#held.push({ piece, due_ms: performance.now() + network.delay_ms(from, to) });
      this.#heldBytes += piece.length;
      if (this.#heldBytes > HELD_BYTES_MAX) source.pause();
      this.pump();
    });
    source.on('end', () => this.#ends('finished'));
    source.on('error', () => this.#ends('gone'));
    source.on('close', () => this.#ends('gone'));
    sink.on('drain', () => this.pump());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#held.length = 0;
  }

  /** Moves what may move now. */
  pump(): void {
    while (this.#network.mayMove(this.#from, this.#to) && !this.#sink.writableNeedDrain) {
      const next = this.#held[0];
      if (next === undefined) {
        if (this.#over === 'gone') this.#cut();
        else if (this.#over === 'finished' && this.#sink.writable) this.#sink.end();
        return;
      }
      const wait_ms = next.due_ms - performance.now();
      if (wait_ms > 0) {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.pump();
        }, wait_ms);
        return;
      }
      this.#held.shift();
      this.#heldBytes -= next.piece.length;
      if (this.#heldBytes <= HELD_BYTES_MAX) this.#source.resume();
      if (!this.#sink.destroyed) this.#sink.write(next.piece);
    }
  }

  #ends(how: 'finished' | 'gone'): void {
    if (this.#over === 'gone') return;
    this.#over = how;
    this.pump();
  }
}

function way(from: Party, to: Party): string {
  return `${from} > ${to}`;
}
