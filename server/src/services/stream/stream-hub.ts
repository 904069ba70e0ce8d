/** The listener of a group's machine: wakes the subscriptions that a change is for. */
import type { Failure } from '../../state/failure.ts';
import type { StreamListener } from '../../state/stream/listener.ts';
import type { StreamMachine } from '../../state/stream/stream-machine.ts';
import { tellEach } from '../tell-each.ts';

/** A subscription as the hub knows it. Its methods only take note: they are called while the machine applies. */
export interface Listening {
  /** Id of its topic. */
  readonly topicId: number;
  /** Its consumer or group; undefined when it has none. */
  readonly consumer: string | undefined;
  /** Something changed that may give it messages, or end it. */
  wake(): void;
  /** Its consumer was moved in a partition. */
  moved(partition: number): void;
  /** Gives back the row that it keeps to read on in. */
  forgetRow(): void;
  /** Ends it, since one of the above threw. */
  fail(failure: Failure): void;
}

/**
 * Subscriptions that may keep a row while they wait for acknowledgements. Beyond, the one that waits longest gives its
 * row back and fetches it again later: 256 rows of 128 KiB are 32 MiB.
 */
const KEPT_ROWS = 256;

export class StreamHub implements StreamListener {
  readonly #byTopic = new Map<number, Set<Listening>>();
  readonly #byConsumer = new Map<string, Set<Listening>>();
  readonly #liveMembers = new Set<string>();
  readonly #withRow = new Set<Listening>();
  #machine: StreamMachine | undefined;

  /** Listens to the machine that the group has now. Called inside a read. */
  attach(machine: StreamMachine): void {
    if (this.#machine === machine) return;
    if (this.#machine?.listener === this) this.#machine.listener = undefined;
    this.#machine = machine;
    machine.listener = this;
    this.reloaded();
  }

  /** Called inside a read, so that nothing is missed between what it saw and the first call. */
  add(subscription: Listening): void {
    const { topicId, consumer } = subscription;
    addTo(this.#byTopic, topicId, subscription);
    if (consumer !== undefined) addTo(this.#byConsumer, consumerKey(topicId, consumer), subscription);
  }

  /** Removing one that was never added does nothing. */
  remove(subscription: Listening): void {
    const { topicId, consumer } = subscription;
    removeFrom(this.#byTopic, topicId, subscription);
    if (consumer !== undefined) removeFrom(this.#byConsumer, consumerKey(topicId, consumer), subscription);
    this.#withRow.delete(subscription);
  }

  /** From before a subscription joins until it has left. */
  setLive(memberId: string, live: boolean): void {
    if (live) this.#liveMembers.add(memberId);
    else this.#liveMembers.delete(memberId);
  }

  isLive(memberId: string): boolean {
    return this.#liveMembers.has(memberId);
  }

  /** Notes that a subscription that is about to wait keeps a row. */
  keepsRow(subscription: Listening): void {
    this.#withRow.delete(subscription);
    this.#withRow.add(subscription);
    if (this.#withRow.size <= KEPT_ROWS) return;
    const [longest] = this.#withRow;
    if (longest === undefined) return;
    this.#withRow.delete(longest);
    longest.forgetRow();
  }

  appended(topicId: number): void {
    this.#wakeTopic(topicId);
  }

  topicChanged(topicId: number): void {
    this.#wakeTopic(topicId);
  }

  assigned(topicId: number, consumer: string): void {
    this.#wakeConsumer(topicId, consumer);
  }

  committed(topicId: number, consumer: string): void {
    this.#wakeConsumer(topicId, consumer);
  }

  moved(topicId: number, consumer: string, partition: number): void {
    tellEach(this.#byConsumer.get(consumerKey(topicId, consumer)) ?? [], (one) => one.moved(partition));
  }

  reloaded(): void {
    const all = [...this.#byTopic.values()].flatMap((some) => [...some]);
    tellEach(all, (one) => one.wake());
  }

  #wakeTopic(topicId: number): void {
    tellEach(this.#byTopic.get(topicId) ?? [], (one) => one.wake());
  }

  #wakeConsumer(topicId: number, consumer: string): void {
    tellEach(this.#byConsumer.get(consumerKey(topicId, consumer)) ?? [], (one) => one.wake());
  }
}

function consumerKey(topicId: number, consumer: string): string {
  return `${topicId}/${consumer}`;
}

function addTo<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
