import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkQueue,
  type QueueDelivery,
  type QueueHistory,
  type QueuePush,
  type QueueRelease,
  type QueueSettlement,
} from './queue-checker.ts';

const LEASE_US = 1_000;
const PRIORITIES = 3;

interface Choice {
  readonly what: number;
  readonly consumer: number;
  readonly priority: number;
  readonly early_us: number;
  readonly late_us: number;
  readonly answerLost: boolean;
}

/** A queue that does right, with consumers that ack, nack, forget, vanish, and lose answers; drained at the end. */
function rightHistory(choices: readonly Choice[]): QueueHistory {
  const pushes: QueuePush[] = [];
  const deliveries: QueueDelivery[] = [];
  const settlements: QueueSettlement[] = [];
  const releases: QueueRelease[] = [];
  const ready: { push: number; attempt: number }[] = [];
  const held: { push: number; attempt: number; consumer: number; delivery: string; endsAt_us: number }[] = [];
  let now_us = 0;

  const around = ({ early_us, late_us, answerLost }: Choice) => ({
    invokedAt_us: Math.max(0, now_us - early_us),
    endedAt_us: answerLost ? Number.POSITIVE_INFINITY : now_us + late_us,
  });
  const makeReady = (message: { push: number; attempt: number }): void => {
    ready.push({ push: message.push, attempt: message.attempt });
    ready.sort((a, b) => pushes[b.push]!.priority - pushes[a.push]!.priority || a.push - b.push);
  };
  const giveBack = (which: (message: (typeof held)[number]) => boolean): void => {
    for (const message of held.filter(which)) {
      held.splice(held.indexOf(message), 1);
      makeReady(message);
    }
  };
  const step = (choice: Choice): void => {
    now_us += 10;
    giveBack(({ endsAt_us }) => endsAt_us <= now_us);
    const { what, consumer, priority, answerLost } = choice;
    if (what < 40) {
      const outcome = answerLost ? 'unknown' : 'ok';
      pushes.push({ message: `m${pushes.length}`, outcome, priority, isDelayed: false, ...around(choice) });
      makeReady({ push: pushes.length - 1, attempt: 0 });
    } else if (what < 70) {
      const next = ready.shift();
      if (next === undefined) return;
      const attempt = next.attempt + 1;
      const delivery = `${next.push}/${attempt}`;
      held.push({ push: next.push, attempt, consumer, delivery, endsAt_us: now_us + LEASE_US });
      if (answerLost) return;
      const message = `m${next.push}`;
      deliveries.push({ message, delivery, attempt, consumer, lease_us: LEASE_US, ...around(choice) });
    } else if (what < 95) {
      const message = held[what % Math.max(1, held.length)];
      const seen = deliveries.find(({ delivery }) => delivery === message?.delivery);
      if (message === undefined || seen === undefined) return;
      const kind = what < 88 ? 'ack' : 'nack';
      const { invokedAt_us, endedAt_us } = around(choice);
      const outcome = answerLost ? 'unknown' : 'ok';
      settlements.push({
        delivery: message.delivery,
        kind,
        outcome,
        invokedAt_us: Math.max(invokedAt_us, Math.min(seen.endedAt_us, now_us)),
        endedAt_us,
      });
      held.splice(held.indexOf(message), 1);
      if (kind === 'nack') makeReady(message);
    } else if (what < 98) {
      releases.push({ consumer, ...around({ ...choice, answerLost: false }) });
      giveBack((message) => message.consumer === consumer);
    } else {
      releases.push(around({ ...choice, answerLost: false }));
      giveBack(() => true);
    }
  };
  for (const choice of choices) step(choice);
  const calm = { consumer: 0, priority: 0, early_us: 0, late_us: 0, answerLost: false };
  while (ready.length + held.length > 0) {
    now_us += LEASE_US;
    step({ ...calm, what: 69 });
    const last = deliveries.at(-1);
    const index = held.findIndex(({ delivery }) => delivery === last?.delivery);
    if (index === -1) continue;
    held.splice(index, 1);
    now_us += 10;
    const time = { invokedAt_us: now_us, endedAt_us: now_us };
    settlements.push({ delivery: last!.delivery, kind: 'ack', outcome: 'ok', ...time });
  }
  return { pushes, deliveries, settlements, releases, isDrained: true };
}

const choice: fc.Arbitrary<Choice> = fc.record({
  what: fc.nat(99),
  consumer: fc.nat(3),
  priority: fc.nat(PRIORITIES - 1),
  early_us: fc.nat(60),
  late_us: fc.nat(60),
  answerLost: fc.nat(9).map((each) => each === 0),
});
const histories = fc.array(choice, { minLength: 60, maxLength: 150, size: 'max' }).map(rightHistory);

const rules = (history: QueueHistory): string[] => [...new Set(checkQueue(history).map(({ rule }) => rule))];

it('what a right queue does is taken', () => {
  fc.assert(
    fc.property(histories, (history) => {
      expect(checkQueue(history)).toEqual([]);
    }),
    { seed: 1, numRuns: 300 },
  );
});

describe('in what a right queue did, it is noticed', () => {
  const base = fc.sample(histories, { seed: 2, numRuns: 30 });
  const ackedFirst = ({ settlements }: QueueHistory): QueueSettlement =>
    settlements.find(({ kind, outcome }) => kind === 'ack' && outcome === 'ok')!;
  const deliveryOf = ({ deliveries }: QueueHistory, id: string): QueueDelivery =>
    deliveries.find(({ delivery }) => delivery === id)!;

  const each = (change: (history: QueueHistory) => QueueHistory, rule: string): void => {
    for (const history of base) expect(rules(change(history))).toContain(rule);
  };

  it('that an acknowledged message was lost', () => {
    each((history) => {
      const time = { invokedAt_us: 0, endedAt_us: 1 };
      const lost = { message: 'lost', outcome: 'ok', priority: 0, isDelayed: false, ...time } as const;
      return { ...history, pushes: [...history.pushes, lost] };
    }, 'what was pushed is settled before the queue is empty');
  });

  it('that an acknowledgement was taken twice', () => {
    each((history) => {
      return { ...history, settlements: [...history.settlements, ackedFirst(history)] };
    }, 'a message is settled once');
  });

  it('that a settled message came back', () => {
    each((history) => {
      const ack = ackedFirst(history);
      const delivery = deliveryOf(history, ack.delivery);
      const again = {
        ...delivery,
        delivery: 'again',
        attempt: delivery.attempt + 1,
        invokedAt_us: ack.endedAt_us + 1,
        endedAt_us: ack.endedAt_us + LEASE_US,
      };
      return { ...history, deliveries: [...history.deliveries, again] };
    }, 'a settled message never comes back');
  });

  it('that two consumers had a message at a time', () => {
    each((history) => {
      const late = { invokedAt_us: 1_000_000, endedAt_us: 1_000_001 };
      const push = { message: 'wanted', outcome: 'ok', priority: 0, isDelayed: false, ...late } as const;
      const first = {
        message: 'wanted',
        delivery: 'first',
        attempt: 1,
        consumer: 1,
        lease_us: LEASE_US,
        ...late,
      };
      const second = { ...first, delivery: 'second', attempt: 2, consumer: 2 };
      return {
        ...history,
        pushes: [...history.pushes, push],
        deliveries: [...history.deliveries, first, second],
        isDrained: false,
      };
    }, 'one consumer at a time has a message');
  });

  it('that a delivery came twice', () => {
    each((history) => {
      return { ...history, deliveries: [...history.deliveries, history.deliveries[0]!] };
    }, 'a delivery id comes once');
  });

  it('that a message came that nobody pushed', () => {
    each((history) => {
      return {
        ...history,
        deliveries: [...history.deliveries, { ...history.deliveries[0]!, message: 'ghost' }],
      };
    }, 'what is delivered was pushed');
  });

  it('that a refused push took effect', () => {
    each((history) => {
      const came = history.deliveries[0]!.message;
      const pushes = history.pushes.map((push) =>
        push.message === came ? { ...push, outcome: 'fail' as const } : push,
      );
      return { ...history, pushes };
    }, 'what is delivered was pushed');
  });
});

describe('order', () => {
  const push = (message: string, at_us: number, priority = 0, isDelayed = false): QueuePush => ({
    message,
    outcome: 'ok',
    priority,
    isDelayed,
    invokedAt_us: at_us,
    endedAt_us: at_us + 5,
  });
  const take = (message: string, at_us: number, attempt = 1, length_us = 5): QueueDelivery => ({
    message,
    delivery: `${message}/${attempt}`,
    attempt,
    consumer: 1,
    lease_us: LEASE_US,
    invokedAt_us: at_us,
    endedAt_us: at_us + length_us,
  });
  const rule = 'messages go by priority, then in the order they were pushed';
  const check = (pushes: QueuePush[], deliveries: QueueDelivery[]): string[] =>
    rules({ pushes, deliveries, settlements: [], releases: [], isDrained: false });

  it('the first pushed goes first', () => {
    expect(check([push('a', 0), push('b', 10)], [take('a', 20), take('b', 30)])).toEqual([]);
    expect(check([push('a', 0), push('b', 10)], [take('b', 20), take('a', 30)])).toEqual([rule]);
  });

  it('pushes that overlap may go either way', () => {
    expect(check([push('a', 0), push('b', 4)], [take('b', 20), take('a', 30)])).toEqual([]);
  });

  it('deliveries that overlap may have been handed out either way', () => {
    expect(check([push('a', 0), push('b', 10)], [take('b', 20, 1, 20), take('a', 30)])).toEqual([]);
  });

  it('a higher priority goes first, also when pushed later', () => {
    expect(check([push('a', 0), push('b', 10, 5)], [take('b', 20), take('a', 30)])).toEqual([]);
    expect(check([push('a', 0), push('b', 10, 5)], [take('a', 20), take('b', 30)])).toEqual([rule]);
  });

  it('a higher priority that was not there yet is not waited for', () => {
    expect(check([push('a', 0), push('b', 22, 5)], [take('a', 20), take('b', 30)])).toEqual([]);
  });

  it('nothing is said of delayed messages, nor of those whose first delivery nobody saw', () => {
    expect(check([push('a', 0, 0, true), push('b', 10)], [take('b', 20), take('a', 30)])).toEqual([]);
    expect(check([push('a', 0), push('b', 10)], [take('b', 20), take('a', 30, 2)])).toEqual([]);
  });
});
