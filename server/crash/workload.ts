/** All lanes of a run, and everything that must hold after a crash. */
import { Random } from '../src/raft/testing/random.ts';
import { NodeClient } from '../src/testing/node-client.ts';
import { ExactPopper, ExactPusher, ExactQueue } from './exact-queue.ts';
import { checkSharedCounter, OnceKvLane, readRows, SessionKvLane } from './kv-lanes.ts';
import { type Lane, Violation } from './lanes.ts';
import { LeasedConsumer, LeasedPopper, LeasedPusher, LeasedQueue } from './leased-queue.ts';
import { OnceCaller } from './once-caller.ts';
import { RetryingSession } from './retrying-session.ts';
import { DurableReader, OwningPublisher, SessionPublisher } from './stream-lanes.ts';
import { StreamLedger } from './stream-ledger.ts';
import type { Tally } from './tally.ts';

/** Each has a connection and a session, which its lanes share. */
const SESSIONS = 3;
const KV_LANES_A_SESSION = 6;

export class Workload {
  readonly lanes: readonly Lane[];
  readonly #tally: Tally;
  readonly #sessions: readonly RetryingSession[];
  readonly #caller: OnceCaller;
  readonly #kv: readonly SessionKvLane[];
  readonly #onceKv: readonly OnceKvLane[];
  readonly #exact = new ExactQueue();
  readonly #poppers: readonly ExactPopper[];
  readonly #leased: LeasedQueue;
  readonly #consumer: LeasedConsumer;
  readonly #ledger = new StreamLedger();
  readonly #reader: DurableReader;

  constructor(seed: number, tally: Tally) {
    const random = new Random(seed);
    const own = (): Random => new Random(random.below(2 ** 31));
    const perSession = <T>(make: (session: RetryingSession, position: number) => T): T[] =>
      this.#sessions.map(make);

    this.#tally = tally;
    this.#sessions = Array.from({ length: SESSIONS }, () => new RetryingSession(tally));
    this.#caller = new OnceCaller(tally);
    this.#leased = new LeasedQueue(this.#caller);
    this.#kv = perSession((session, s) =>
      Array.from(
        { length: KV_LANES_A_SESSION },
        (_, i) => new SessionKvLane(`kv${s}${i}`, session, own(), tally),
      ),
    ).flat();
    this.#onceKv = [0, 1].map((i) => new OnceKvLane(`once${i}`, this.#caller, tally));
    this.#poppers = perSession((session, s) => new ExactPopper(`pop${s}`, this.#exact, session, own()));
    this.#consumer = new LeasedConsumer('consume', this.#leased, this.#caller);
    this.#reader = new DurableReader('read', this.#caller, tally);
    this.lanes = [
      ...this.#kv,
      ...this.#onceKv,
      ...perSession((session, s) => new ExactPusher(`push${s}`, this.#exact, session, own())),
      ...this.#poppers,
      ...[0, 1].map((i) => new LeasedPusher(`lpush${i}`, this.#leased, this.#caller, own())),
      ...[0, 1].map((i) => new LeasedPopper(`lpop${i}`, this.#leased, this.#caller)),
      this.#consumer,
      // Two lanes of different sessions share each of the first two partitions; the last has one owner.
      ...[0, 1, 2, 3].map(
        (i) => new SessionPublisher(`pub${i}`, i % 2, this.#ledger, this.#sessions[i % SESSIONS]!, own()),
      ),
      new OwningPublisher('own', 2, this.#ledger, this.#caller, own()),
      this.#reader,
    ];
  }

  attach(address: string): void {
    this.#caller.attach(address);
    for (const session of this.#sessions) session.attach(address);
  }

  detach(): void {
    this.#consumer.detach();
    this.#reader.detach();
    this.#caller.detach();
    for (const session of this.#sessions) session.detach();
  }

  /**
   * Compares the node with everything that was acknowledged. Calls whose answers are due may have happened or not; with
   * none due, all is exact. No lane may be at work.
   * @throws Violation
   */
  async check(address: string): Promise<void> {
    using client = new NodeClient(address);
    const rows = await readRows(client);
    for (const lane of [...this.#kv, ...this.#onceKv]) lane.check(rows);
    checkSharedCounter(this.#kv, rows);
    await this.#exact.check(client, this.#tally);
    await this.#leased.check(client, this.#tally);
    await this.#ledger.check(client, this.#tally);
    await this.#reader.check(client);
  }

  /** The next check compares messages again that earlier ones have seen. */
  forgetChecks(): void {
    this.#ledger.forgetChecks();
  }

  /** Empties both queues: every message must come, and none that is settled. @throws Violation */
  async drainQueues(address: string): Promise<void> {
    this.#consumer.detach();
    using client = new NodeClient(address);
    while (this.#exact.waiting > 0) await Promise.all(this.#poppers.map((popper) => popper.step()));
    await this.#leased.drain(client);
    this.#exact.fates.checkAllSettled();
    this.#leased.fates.checkAllSettled();
    if (this.#exact.fates.settled !== this.#exact.fates.attempted) {
      throw new Violation(
        `${this.#exact.fates.settled} messages were settled of ${this.#exact.fates.attempted}`,
      );
    }
  }
}
