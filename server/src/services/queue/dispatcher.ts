/** Brings the messages of one group's queues to those who wait for them. */
import { Consistency, ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../../state/failure.ts';
import type { ReportBug } from '../../state/guarded-listener.ts';
import type { QueueListener } from '../../state/queue/listener.ts';
import { GomsgError } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import { STREAM_FAILED } from '../tell-each.ts';
import { Line } from './line.ts';
import type { Taker } from './taker.ts';

/** Most waiting pops and consumers of one group's queues. */
export const TAKERS_MAX = 50_000;
/** What a caller beyond that is told to wait. */
const OVERLOADED_RETRY_MS = 1000;

function rethrown(error: unknown): void {
  throw error;
}

export class Dispatcher implements QueueListener {
  readonly #group: ServiceGroup;
  readonly #reportBug: ReportBug;
  readonly #lines = new Map<string, Line>();
  #takers = 0;
  #draining: GomsgError | undefined;
  /** Lines to look at, once what runs now (which may be apply) is through. */
  readonly #woken = new Set<Line>();

  /** @param reportBug is told of what a taker throws, which costs the takers of its queue; default: it is thrown */
  constructor(group: ServiceGroup, reportBug: ReportBug = rethrown) {
    this.#group = group;
    this.#reportBug = reportBug;
    group.onRoleChange((isLeader) => {
      if (!isLeader) this.#leadershipLost();
    });
  }

  /** Consumers and waiting pops of the queue. */
  takers(queue: string): number {
    return this.#lines.get(queue)?.takers ?? 0;
  }

  /** Somebody is in line for the queue: a newcomer goes behind. */
  hasLine(queue: string): boolean {
    return this.#lines.get(queue)?.empty === false;
  }

  /**
   * The line of a queue for one more taker, who must `part` from it in the end.
   * @throws GomsgError OVERLOADED, or DRAINING once the node shuts down
   */
  join(queue: string): Line {
    if (this.#draining) throw this.#draining;
    if (this.#takers >= TAKERS_MAX) {
      throw new GomsgError({
        reason: ErrorReason.OVERLOADED,
        subject: queue,
        message: `${TAKERS_MAX} consumers and waiting pops are as many as a group of queues takes`,
        retryAfter_ms: OVERLOADED_RETRY_MS,
      });
    }
    let line = this.#lines.get(queue);
    if (!line) {
      line = new Line(queue, this.#group, (woken) => this.#wake(woken));
      this.#lines.set(queue, line);
    }
    this.#takers++;
    return line;
  }

  /**
   * Begins to wait. A queue that does not exist is made, by a pop.
   * @param started the queue exists and the taker gets what becomes ready from now on
   */
  start(line: Line, taker: Taker, started: () => void, fail: (failure: Failure) => void): void {
    if (taker.gone) return;
    line.join(taker);
    this.#group.read(
      Consistency.LINEARIZABLE,
      (state) => {
        state.queue.listener = this;
        if (taker.gone) return;
        if (state.queue.readyMessages(line.queue) === undefined) line.pop(taker, 1);
        else line.enter(taker);
        started();
      },
      fail,
    );
  }

  /** Everybody who waits is told, and nobody waits any more. */
  drain(reason: GomsgError): void {
    this.#draining = reason;
    for (const line of this.#lines.values()) line.failAll(reason);
  }

  /** A taker is gone. */
  part(line: Line, taker: Taker): void {
    line.part(taker);
    this.#takers--;
    this.#wake(line);
  }

  ready(queue: string): void {
    const line = this.#lines.get(queue);
    if (line) this.#wake(line);
  }

  ended(queue: string, sequence: number, delivery: number): void {
    this.#lines.get(queue)?.ended(sequence, delivery);
  }

  allEnded(queue: string): void {
    this.#lines.get(queue)?.allEnded();
  }

  /** Takers of a node that leads no longer are told so, and go to the one that does: here nothing is handed out any more. */
  #leadershipLost(): void {
    const failure: Failure = {
      reason: ErrorReason.NOT_LEADER,
      message: `this node does not lead group ${this.#group.id} any more`,
    };
    for (const line of this.#lines.values()) line.failAll(failure);
  }

  #wake(line: Line): void {
    if (this.#woken.size === 0) queueMicrotask(() => this.#matchWoken());
    this.#woken.add(line);
  }

  #matchWoken(): void {
    const lines = [...this.#woken];
    this.#woken.clear();
    for (const line of lines) {
      if (!line.idle) this.#match(line);
      else if (this.#lines.get(line.queue) === line) this.#lines.delete(line.queue);
    }
  }

  /** Nobody is there to be thrown at: a bug costs those who wait for the queue, and neither others nor the node. */
  #match(line: Line): void {
    try {
      line.match();
    } catch (error) {
      this.#reportBug(error, `handing out messages of group ${this.#group.id}`);
      line.failAll(STREAM_FAILED);
    }
  }
}
