/**
 * The wire between one client and a server, in the hands of a case: it can be cut, stalled, slowed down, or cut again
 * and again after so many bytes. It moves bytes and knows nothing of what they mean.
 */
import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';
import { keptPort } from '../../../server/src/testing/ports.ts';

/** Bytes held back in one direction of one connection while it is stalled or slow; past it the sender has to wait. */
const HELD_BYTES_MAX = 64 * 2 ** 20;

export type Direction = 'requests' | 'answers';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Changes what a server says on one connection; what it holds back comes out with later pieces. */
export interface AnswerRewriter {
  push(piece: Buffer): Buffer;
}

/** Cuts that links make by themselves, of the connection that moves the bytes at which each is due. */
export class CutPlan {
  readonly #bytes: number;
  #left: number;
  /** Bytes that may still pass before the next cut. */
  #budget: number;

  /** Each after so many bytes, of both directions and all links of the plan together, and so many times in all. */
  constructor(bytes: number, times: number) {
    this.#bytes = bytes;
    this.#left = times;
    this.#budget = bytes;
  }

  /** How many of these bytes may pass; fewer than all = cut then. */
  moved(bytes: number): number {
    if (this.#left === 0) return bytes;
    if (bytes < this.#budget) {
      this.#budget -= bytes;
      return bytes;
    }
    const passing = this.#budget;
    this.#left -= 1;
    this.#budget = this.#bytes;
    return Math.min(passing, bytes - 1);
  }
}

export class Link {
  readonly #port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #target: () => Target | undefined;
  readonly #rewritten: (() => AnswerRewriter) | undefined;
  readonly #stalled: Record<Direction, boolean> = { requests: false, answers: false };
  #delay_ms = 0;
  #refuses = false;
  #cuts: CutPlan | undefined;
  #waiting: (() => void)[] = [];
  /** Connections cut so far, by either way. */
  cutCount = 0;

  /**
   * `target` is asked for each connection; undefined = there is no server, and the connection ends at once. Answers of
   * each connection go through a rewriter of its own, if there are any.
   */
  static async open(target: () => Target | undefined, rewritten?: () => AnswerRewriter): Promise<Link> {
    const link = new Link(await keptPort(), target, rewritten);
    await link.#listen();
    return link;
  }

  private constructor(
    port: number,
    target: () => Target | undefined,
    rewritten: (() => AnswerRewriter) | undefined,
  ) {
    this.#port = port;
    this.#target = target;
    this.#rewritten = rewritten;
    this.#server = createServer((client) => this.#connected(client));
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Breaks every connection; what is held back is lost. New ones are taken. */
  cut(): void {
    this.cutCount += this.#pairs.size;
    for (const pair of this.#pairs) pair.cut();
  }

  /** Stops moving bytes, without a word to either end. New connections are taken and stalled alike. */
  stall(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#stalled[direction] = true;
  }

  /** Moves bytes again, at once, and those held back first. */
  resume(): void {
    this.#stalled.requests = false;
    this.#stalled.answers = false;
    this.#delay_ms = 0;
    this.#cuts = undefined;
    for (const pair of this.#pairs) pair.pump();
  }

  /** Moves every piece so much later. */
  delay(time_ms: number): void {
    this.#delay_ms = time_ms;
  }

  /** Cuts as planned. */
  cutBy(plan: CutPlan): void {
    this.#cuts = plan;
  }

  /** Connections are refused, as where nothing listens. Those that are open stay. */
  async refuse(): Promise<void> {
    if (this.#refuses) return;
    this.#refuses = true;
    this.#server.close();
    // Closing ends listening at once; its callback waits for the connections.
  }

  /** Takes connections again, on the same port. */
  async accept(): Promise<void> {
    if (!this.#refuses) return;
    this.#refuses = false;
    await this.#listen();
  }

  /** Resolves once a connection is open. */
  async connected(): Promise<void> {
    while (this.#pairs.size === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#refuses = true;
    this.#server.close();
    for (const pair of this.#pairs) pair.cut();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #connected(client: Socket): void {
    const target = this.#target();
    if (target === undefined || this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const pair = new Pair(client, target, {
      mayMove: (direction) => !this.#stalled[direction],
      delay_ms: () => this.#delay_ms,
      moved: (bytes) => this.#moved(bytes),
      ended: () => this.#pairs.delete(pair),
      rewriter: this.#rewritten?.(),
    });
    this.#pairs.add(pair);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** How many of these bytes may pass; fewer than all = cut then. */
  #moved(bytes: number): number {
    const passing = this.#cuts?.moved(bytes) ?? bytes;
    if (passing < bytes) this.cutCount += 1;
    return passing;
  }
}

interface Rules {
  mayMove(direction: Direction): boolean;
  delay_ms(): number;
  moved(bytes: number): number;
  ended(): void;
  readonly rewriter: AnswerRewriter | undefined;
}

/** One connection of the client, and the one to the server that goes with it. */
class Pair {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #rules: Rules;
  readonly #ways: readonly Way[];
  #ended = false;

  constructor(client: Socket, target: Target, rules: Rules) {
    this.#client = client;
    this.#rules = rules;
    this.#server = new Socket();
    client.setNoDelay(true);
    this.#server.setNoDelay(true);
    this.#ways = [
      new Way('requests', client, this.#server, rules, () => this.cut()),
      new Way('answers', this.#server, client, rules, () => this.cut()),
    ];
    for (const socket of [client, this.#server]) {
      socket.on('error', () => this.cut());
      socket.on('close', () => this.cut());
    }
    this.#server.connect(target.port, target.host);
  }

  pump(): void {
    for (const way of this.#ways) way.pump();
  }

  cut(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const way of this.#ways) way.stop();
    this.#client.resetAndDestroy();
    this.#server.destroy();
    this.#rules.ended();
  }
}

/** One direction of a connection: what came in and has not gone out. */
class Way {
  readonly #direction: Direction;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #rules: Rules;
  readonly #cut: () => void;
  readonly #held: { readonly piece: Buffer; readonly due: number }[] = [];
  #heldBytes = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(direction: Direction, from: Socket, to: Socket, rules: Rules, cut: () => void) {
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    this.#rules = rules;
    this.#cut = cut;
    const rewriter = direction === 'answers' ? rules.rewriter : undefined;
    from.on('data', (received: Buffer) => {
      const piece = rewriter === undefined ? received : rewriter.push(received);
      if (piece.length === 0) return;
      this.#held.push({ piece, due: performance.now() + rules.delay_ms() });
      this.#heldBytes += piece.length;
      if (this.#heldBytes > HELD_BYTES_MAX) from.pause();
      this.pump();
    });
    from.on('end', () => {
      this.#ended = true;
      this.pump();
    });
    to.on('drain', () => this.pump());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#held.length = 0;
  }

  /** Moves what may move now. */
  pump(): void {
    while (this.#rules.mayMove(this.#direction) && !this.#to.writableNeedDrain) {
      const next = this.#held[0];
      if (next === undefined) {
        if (this.#ended) this.#to.end();
        return;
      }
      const wait_ms = next.due - performance.now();
      if (wait_ms > 0) {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.pump();
        }, wait_ms);
        return;
      }
      this.#held.shift();
      this.#heldBytes -= next.piece.length;
      if (this.#heldBytes <= HELD_BYTES_MAX) this.#from.resume();
      const passing = this.#rules.moved(next.piece.length);
      this.#to.write(passing < next.piece.length ? next.piece.subarray(0, passing) : next.piece);
      if (passing < next.piece.length) {
        this.#cut();
        return;
      }
    }
  }
}
