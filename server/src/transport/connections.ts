import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Counter, Gauge } from '../observe/instruments.ts';
import { readFirstBytes } from './first-bytes.ts';
import { http1Refusal, http2Refusal } from './refusal.ts';

/** Connections over the limit that are told so at once; any further ones are dropped without a word. */
const MAX_REFUSALS_AT_ONCE = 64;
/** How long a connection over the limit may take to say its protocol and then to take its answer. */
const REFUSAL_TIMEOUT_MS = 1_000;
/** When a refused caller may come back. */
const RETRY_AFTER_MS = 1_000;

export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly handshakeTimeout_ms: number;
}

/** What takes over a connection once its protocol is known. */
export interface ProtocolServers {
  readonly http1: { accept(connection: Duplex): void };
  readonly http2: { accept(connection: Duplex): void };
}

/** Where the connections are shown: the transport group of the node's metrics. */
export interface ConnectionMeters {
  readonly connections: Gauge;
  readonly connectionsRefused: Counter;
}

/** Every open connection of the port: counts them, finds out what each speaks, and hands it over. */
export class Connections {
  readonly #servers: ProtocolServers;
  readonly #limits: ConnectionLimits;
  readonly #meters: ConnectionMeters;
  readonly #open = new Set<Socket>();
  /** The open ones that have not said what they speak, each with the timer that will close it. */
  readonly #undecided = new Map<Socket, NodeJS.Timeout>();
  readonly #onClose: (this: Socket) => void;
  #waitingForAllClosed: (() => void)[] = [];

  constructor(servers: ProtocolServers, limits: ConnectionLimits, meters: ConnectionMeters) {
    this.#servers = servers;
    this.#limits = limits;
    this.#meters = meters;
    // One function for all connections: closures per connection are memory that idle ones hold.
    const closed = (socket: Socket) => this.#closed(socket);
    this.#onClose = function () {
      closed(this);
    };
  }

  get size(): number {
    return this.#open.size;
  }

  /** The system's own limit, a little above ours: those between get an answer. */
  guard<S extends Server>(server: S): S {
    server.maxConnections = this.#limits.maxConnections + MAX_REFUSALS_AT_ONCE;
    server.on('drop', () => this.#meters.connectionsRefused.add());
    return server;
  }

  /** A new connection in the clear. */
  acceptPlain(socket: Socket): void {
    if (this.#admit(socket)) this.#decide(socket, this.#limits.handshakeTimeout_ms, this.#servers);
    else refuse(socket, (servers) => this.#decide(socket, REFUSAL_TIMEOUT_MS, servers));
  }

  /** A new connection before its TLS handshake: it counts from its first packet, or handshakes would be free. */
  acceptBeforeTls(socket: Socket): void {
    if (!this.#admit(socket)) socket.destroy();
  }

  /** The same connection after its handshake. Without ALPN its first bytes decide, as in the clear. */
  acceptAfterTls(socket: Socket, protocol: string | false | null): void {
    // Errors of a connection end it, which is all there is to do about them.
    socket.on('error', ignore);
    if (protocol === 'h2') this.#servers.http2.accept(socket);
    else this.#decide(socket, this.#limits.handshakeTimeout_ms, this.#servers);
  }

  /** Closes the connections that have not asked for anything yet. */
  destroyUndecided(): void {
    for (const socket of this.#undecided.keys()) socket.destroy();
  }

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Resolves once no connection is open. */
  allClosed(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForAllClosed.push(resolve));
  }

  #admit(socket: Socket): boolean {
    this.#open.add(socket);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    this.#meters.connections.set(this.#open.size);
    const admitted = this.#open.size <= this.#limits.maxConnections;
    if (!admitted) this.#meters.connectionsRefused.add();
    return admitted;
  }

  #closed(socket: Socket): void {
    this.#open.delete(socket);
    this.#meters.connections.set(this.#open.size);
    if (this.#open.size > 0) return;
    const waiting = this.#waitingForAllClosed;
    this.#waitingForAllClosed = [];
    for (const resolve of waiting) resolve();
  }

  /** Reads until the protocol is clear, puts what it read back, and hands the connection over. */
  #decide(socket: Socket, timeout_ms: number, servers: ProtocolServers): void {
    let bytes: Buffer = Buffer.alloc(0);
    const stop = () => {
      clearTimeout(this.#undecided.get(socket));
      this.#undecided.delete(socket);
      socket.off('readable', read);
      socket.off('close', stop);
    };
    const read = () => {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        const protocol = readFirstBytes(bytes);
        if (protocol === 'undecided') continue;
        stop();
        socket.unshift(bytes);
        servers[protocol].accept(socket);
        return;
      }
    };
    this.#undecided.set(
      socket,
      setTimeout(() => socket.destroy(), timeout_ms),
    );
    socket.on('close', stop);
    socket.on('readable', read);
  }
}

/** Tells a connection over the limit so, in its own protocol, and closes it. */
function refuse(socket: Socket, decide: (servers: ProtocolServers) => void): void {
  const message = 'this node has as many connections as it may hold';
  const answer = (bytes: Buffer) => {
    // Closing with input unread would reset the connection and may take the answer with it: drop the input first.
    socket.resume();
    socket.end(bytes);
    const linger = setTimeout(() => socket.destroy(), REFUSAL_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(linger));
  };
  decide({
    http1: { accept: () => answer(http1Refusal(message, RETRY_AFTER_MS)) },
    http2: { accept: () => answer(http2Refusal(message)) },
  });
}

function ignore(): void {}
