/**
 * Did a queue keep its promises? Held against docs/guarantees.md: an acknowledged push is delivered and settled, a
 * settled message never comes back, a message is with one consumer at a time, and ready ones go by priority and then
 * in the order they were pushed.
 *
 * Everything is judged in favour of the queue: an event happened somewhere between its two times, and only what no
 * choice of moments explains is a violation.
 */
import type { Outcome } from './history.ts';
import { Findings, type Violation } from './violation.ts';

/** Between these two times, in microseconds as in a history, something happened. */
interface During {
  readonly invokedAt_us: number;
  /** Infinity for what had no answer. */
  readonly endedAt_us: number;
}

export interface QueuePush extends During {
  /** Unique in the queue: part of the payload. */
  readonly message: string;
  readonly outcome: Outcome;
  readonly priority: number;
  /** Not ready at once: nothing is promised about its place then. */
  readonly isDelayed: boolean;
}

/** A consumer got a message. It was handed out after its request, or after the stream had room for it. */
export interface QueueDelivery extends During {
  readonly message: string;
  /** The id that settles it. */
  readonly delivery: string;
  /** From 1, counted by the queue. */
  readonly attempt: number;
  readonly consumer: number;
  /** From handing out until the lease ends, the last Extend included. */
  readonly lease_us: number;
}

export interface QueueSettlement extends During {
  readonly delivery: string;
  readonly kind: 'ack' | 'nack';
  readonly outcome: Outcome;
}

/**
 * Deliveries were given back by themselves: of one consumer whose stream ended, or, without a consumer, of all, when
 * a node restarted or leadership moved.
 */
export interface QueueRelease extends During {
  readonly consumer?: number;
}

export interface QueueHistory {
  readonly pushes: readonly QueuePush[];
  readonly deliveries: readonly QueueDelivery[];
  readonly settlements: readonly QueueSettlement[];
  readonly releases: readonly QueueRelease[];
  /** Every lease was over and consumers found nothing more: what was never settled is lost. */
  readonly isDrained: boolean;
}

export function checkQueue(history: QueueHistory): readonly Violation[] {
  const findings = new Findings();
  const pushes = new Map(history.pushes.map((push) => [push.message, push]));
  const settlements = Map.groupBy(history.settlements, ({ delivery }) => delivery);
  const fates = messageFates(history.deliveries, settlements);

  checkDeliveries(history.deliveries, pushes, findings);
  for (const fate of fates.values()) {
    checkSettledOnce(fate, findings);
    checkOneHolderAtATime(fate, history.releases, settlements, findings);
  }
  if (history.isDrained) checkNothingLost(history.pushes, fates, findings);
  checkOrder(history, pushes, fates, findings);
  return findings.violations;
}

interface Fate {
  readonly message: string;
  /** By attempt. */
  readonly deliveries: readonly QueueDelivery[];
  /** Acks that were applied, or may have been. */
  readonly acks: readonly QueueSettlement[];
}

type Settlements = ReadonlyMap<string, readonly QueueSettlement[]>;

function messageFates(deliveries: readonly QueueDelivery[], settlements: Settlements): Map<string, Fate> {
  const fates = new Map<string, Fate>();
  for (const [message, all] of Map.groupBy(deliveries, (delivery) => delivery.message)) {
    const acks = all
      .flatMap(({ delivery }) => settlements.get(delivery) ?? [])
      .filter(({ kind, outcome }) => kind === 'ack' && outcome !== 'fail');
    fates.set(message, { message, deliveries: all.toSorted((a, b) => a.attempt - b.attempt), acks });
  }
  return fates;
}

function checkDeliveries(
  deliveries: readonly QueueDelivery[],
  pushes: ReadonlyMap<string, QueuePush>,
  findings: Findings,
): void {
  const ids = new Set<string>();
  for (const { message, delivery, endedAt_us } of deliveries) {
    const push = pushes.get(message);
    if (push === undefined || push.outcome === 'fail') {
      findings.add(
        'what is delivered was pushed',
        `${message} was ${push ? 'refused' : 'never pushed'} and came`,
      );
    } else if (endedAt_us < push.invokedAt_us) {
      findings.add('what is delivered was pushed', `${message} came before it was pushed`);
    }
    if (ids.has(delivery)) findings.add('a delivery id comes once', `${delivery} of ${message} came twice`);
    ids.add(delivery);
  }
}

function checkSettledOnce({ message, deliveries, acks }: Fate, findings: Findings): void {
  const answered = acks.filter(({ outcome }) => outcome === 'ok');
  const byDelivery = new Set(answered.map(({ delivery }) => delivery));
  if (answered.length > 1) {
    const how =
      byDelivery.size > 1
        ? `deliveries ${[...byDelivery].join(' and ')}`
        : `delivery ${answered[0]!.delivery}`;
    findings.add(
      'a message is settled once',
      `${message} was acknowledged ${answered.length} times, by ${how}`,
    );
  }
  for (const ack of answered) {
    const late = deliveries.find(({ invokedAt_us }) => invokedAt_us > ack.endedAt_us);
    if (late !== undefined) {
      findings.add(
        'a settled message never comes back',
        `${message} was settled by ${ack.endedAt_us} µs and handed out again (attempt ${late.attempt}) after ${late.invokedAt_us} µs`,
      );
    }
  }
}

/** A delivery has to be over, or possibly over, before the next one of its message was received. */
function checkOneHolderAtATime(
  { message, deliveries }: Fate,
  releases: readonly QueueRelease[],
  settlements: Settlements,
  findings: Findings,
): void {
  for (let index = 1; index < deliveries.length; index++) {
    const held = deliveries[index - 1]!;
    const next = deliveries[index]!;
    if (next.attempt === held.attempt) {
      findings.add(
        'each delivery is an attempt of its own',
        `${message} came twice as attempt ${next.attempt}`,
      );
      continue;
    }
    if (next.endedAt_us < held.invokedAt_us) {
      findings.add('attempts come in their order', `${message}: ${next.attempt} came before ${held.attempt}`);
      continue;
    }
    const leaseWasOver = held.invokedAt_us + held.lease_us <= next.endedAt_us;
    const wasGivenBack = (settlements.get(held.delivery) ?? []).some(
      ({ kind, outcome, invokedAt_us }) =>
        kind === 'nack' && outcome !== 'fail' && invokedAt_us <= next.endedAt_us,
    );
    const wasReleased = releases.some(
      ({ consumer, invokedAt_us, endedAt_us }) =>
        (consumer === undefined || consumer === held.consumer) &&
        invokedAt_us <= next.endedAt_us &&
        endedAt_us >= held.invokedAt_us,
    );
    if (leaseWasOver || wasGivenBack || wasReleased) continue;
    findings.add(
      'one consumer at a time has a message',
      `${message} was with consumer ${held.consumer} (attempt ${held.attempt}) when consumer ${next.consumer} got it (attempt ${next.attempt}) by ${next.endedAt_us} µs`,
    );
  }
}

function checkNothingLost(
  pushes: readonly QueuePush[],
  fates: ReadonlyMap<string, Fate>,
  findings: Findings,
): void {
  for (const { message, outcome } of pushes) {
    if (outcome !== 'ok' || (fates.get(message)?.acks.length ?? 0) > 0) continue;
    const times = fates.get(message)?.deliveries.length ?? 0;
    findings.add(
      'what was pushed is settled before the queue is empty',
      `${message} was acknowledged to its producer, came ${times} times, and is gone`,
    );
  }
}

/** A message that waited ahead of another all the time, and was still there when the other had come. */
function checkOrder(
  { deliveries }: QueueHistory,
  pushes: ReadonlyMap<string, QueuePush>,
  fates: ReadonlyMap<string, Fate>,
  findings: Findings,
): void {
  const waiting = waitingByPriority(pushes, fates);
  for (const delivery of deliveries) {
    const push = pushes.get(delivery.message);
    if (push === undefined || push.isDelayed) continue;
    for (const [priority, line] of waiting) {
      if (priority < push.priority) continue;
      const overtaken = line.earliestPushAfter(delivery.endedAt_us);
      const mustBeBefore_us = priority === push.priority ? push.invokedAt_us : delivery.invokedAt_us;
      if (overtaken === undefined || overtaken.endedAt_us >= mustBeBefore_us) continue;
      findings.add(
        'messages go by priority, then in the order they were pushed',
        `${delivery.message} (priority ${push.priority}) came by ${delivery.endedAt_us} µs, while ${overtaken.message} (priority ${priority}) had been ready since ${overtaken.endedAt_us} µs`,
      );
      break;
    }
  }
}

/** Messages that were ready from their push until their first delivery, which was handed out after a known time. */
class WaitingLine {
  readonly #handedOutAfter_us: number[];
  /** By place in the line: of this message and all later ones, the one that was pushed first. */
  readonly #earliest: QueuePush[];

  constructor(entries: readonly { readonly push: QueuePush; readonly handedOutAfter_us: number }[]) {
    const sorted = entries.toSorted((a, b) => a.handedOutAfter_us - b.handedOutAfter_us);
    this.#handedOutAfter_us = sorted.map(({ handedOutAfter_us }) => handedOutAfter_us);
    this.#earliest = sorted.map(({ push }) => push);
    for (let index = sorted.length - 2; index >= 0; index--) {
      const later = this.#earliest[index + 1]!;
      if (later.endedAt_us < this.#earliest[index]!.endedAt_us) this.#earliest[index] = later;
    }
  }

  /** Of the messages that were handed out after `time_us`, the one whose push was answered first. */
  earliestPushAfter(time_us: number): QueuePush | undefined {
    let low = 0;
    let high = this.#handedOutAfter_us.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#handedOutAfter_us[middle]! > time_us) high = middle;
      else low = middle + 1;
    }
    return this.#earliest[low];
  }
}

function waitingByPriority(
  pushes: ReadonlyMap<string, QueuePush>,
  fates: ReadonlyMap<string, Fate>,
): Map<number, WaitingLine> {
  const entries = [...fates.values()].flatMap(({ message, deliveries }) => {
    const push = pushes.get(message);
    const first = deliveries[0]!;
    // A first attempt that nobody saw may have been handed out at any time.
    if (push === undefined || push.outcome !== 'ok' || push.isDelayed || first.attempt !== 1) return [];
    return [{ push, handedOutAfter_us: first.invokedAt_us }];
  });
  const byPriority = Map.groupBy(entries, ({ push }) => push.priority);
  return new Map([...byPriority].map(([priority, some]) => [priority, new WaitingLine(some)]));
}
