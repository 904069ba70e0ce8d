/**
 * Histories that are right by construction, and parts that make any history wrong: for the tests of the checkers.
 *
 * A call takes effect at a moment of its own, in a sequential run of the model, and its interval is stretched around
 * that moment over those of other clients.
 */
import * as fc from 'fast-check';
import type { CounterInput, CounterOutput } from './counter.ts';
import type { History, Operation } from './history.ts';
import type { RegisterInput, RegisterOutput } from './register.ts';

/** What fast-check chooses of a call. Which of the values a choice means depends on what the run has come to. */
interface Choice {
  readonly client: number;
  readonly key: number;
  readonly what: number;
  readonly early_us: number;
  readonly late_us: number;
  /** 0: refused, and had no effect. 1: no answer, and no effect. 2: no answer, and an effect. Else answered. */
  readonly fate: number;
}

export interface Size {
  readonly calls: number;
  readonly keys: number;
  readonly clients: number;
  /** Fates beyond the three special ones: the more, the rarer those. */
  readonly ordinaryFates: number;
}

export const SMALL: Size = { calls: 60, keys: 3, clients: 5, ordinaryFates: 9 };

/** Between the moments of two calls that follow each other. */
const STEP_US = 10;

export interface Sequential<Input, Output> {
  /** The next call on a key, and what the object answers it; with no effect unless `takesEffect`. */
  next(key: string, what: number, takesEffect: boolean): { input: Input; output: Output };
}

export function choices({ calls, keys, clients, ordinaryFates }: Size): fc.Arbitrary<Choice[]> {
  const choice = fc.record({
    client: fc.nat(clients - 1),
    key: fc.nat(keys - 1),
    what: fc.nat(99),
    early_us: fc.nat(6 * STEP_US),
    late_us: fc.nat(6 * STEP_US),
    fate: fc.nat(2 + ordinaryFates),
  });
  return fc.array(choice, { minLength: Math.ceil(calls / 2), maxLength: calls, size: 'max' });
}

/** The choices as a history, beginning at `from_us`. */
export function asHistory<Input, Output>(
  chosen: readonly Choice[],
  object: Sequential<Input, Output>,
  from_us = 0,
): Operation<Input, Output>[] {
  const history: Operation<Input, Output>[] = [];
  /** By client: its calls do not overlap each other. */
  const freeFrom_us = new Map<number, number>();
  for (const [index, { client, key: keyNumber, what, early_us, late_us, fate }] of chosen.entries()) {
    const moment_us = from_us + (index + 1) * STEP_US;
    const later = chosen.findIndex((other, at) => at > index && other.client === client);
    const nextMoment_us = later === -1 ? Number.POSITIVE_INFINITY : from_us + (later + 1) * STEP_US;
    const invokedAt_us = Math.max(moment_us - early_us, freeFrom_us.get(client) ?? from_us);
    const endedAt_us = Math.min(moment_us + late_us, nextMoment_us - 2);
    freeFrom_us.set(client, endedAt_us + 1);
    const key = `k${keyNumber}`;
    const { input, output } = object.next(key, what, fate > 1);
    const begun = { client, key, input, invokedAt_us };
    if (fate === 0) history.push({ ...begun, outcome: 'fail', endedAt_us });
    else if (fate <= 2) history.push({ ...begun, outcome: 'unknown', endedAt_us: Number.POSITIVE_INFINITY });
    else history.push({ ...begun, outcome: 'ok', output, endedAt_us });
  }
  return history;
}

/** Registers whose values are all different. */
export class Registers implements Sequential<RegisterInput, RegisterOutput> {
  readonly #values = new Map<string, string>();
  #written = 0;

  next(key: string, what: number, takesEffect: boolean): { input: RegisterInput; output: RegisterOutput } {
    const now = this.#values.get(key) ?? null;
    if (what < 40) return { input: { kind: 'get' }, output: { value: now } };
    if (what < 50) {
      if (takesEffect) this.#values.delete(key);
      return { input: { kind: 'delete' }, output: { applied: now !== null } };
    }
    const value = `v${++this.#written}`;
    const applied = what < 80 || what % 2 === 0;
    if (takesEffect && applied) this.#values.set(key, value);
    if (what < 80) return { input: { kind: 'set', value }, output: {} };
    return { input: { kind: 'cas', expected: applied ? now : 'never', value }, output: { applied } };
  }
}

export class Counters implements Sequential<CounterInput, CounterOutput> {
  readonly #sums = new Map<string, number>();

  sum(key: string): number {
    return this.#sums.get(key) ?? 0;
  }

  next(key: string, what: number, takesEffect: boolean): { input: CounterInput; output: CounterOutput } {
    const now = this.sum(key);
    if (what < 30) return { input: { kind: 'get' }, output: { value: now } };
    const delta = (what % 4) - 1;
    if (takesEffect) this.#sums.set(key, now + delta);
    return { input: { kind: 'add', delta }, output: { value: now + delta } };
  }
}

/** Answered calls of one client on a key, one after the other. */
export function oneAfterAnother<Input, Output>(
  key: string,
  from_us: number,
  calls: readonly (readonly [Input, Output])[],
): Operation<Input, Output>[] {
  return calls.map(([input, output], index) => ({
    client: 1_000,
    key,
    input,
    output,
    outcome: 'ok',
    invokedAt_us: from_us + 2 * index * STEP_US,
    endedAt_us: from_us + (2 * index + 1) * STEP_US,
  }));
}

const get = (value: string | null): readonly [RegisterInput, RegisterOutput] => [{ kind: 'get' }, { value }];
const set = (value: string): readonly [RegisterInput, RegisterOutput] => [{ kind: 'set', value }, {}];

/** Wrong whatever calls without an answer did before: each value is written once, by an answered call. */
export const REGISTER_FAULTS: Readonly<
  Record<string, readonly (readonly [RegisterInput, RegisterOutput])[]>
> = {
  'a lost write': [set('old'), get('old'), set('new'), get('old')],
  'a stale read': [set('old'), set('new'), get('new'), get('old')],
  'a write applied twice': [set('a'), get('a'), set('b'), get('b'), get('a')],
  'a condition that held twice': [
    set('a'),
    [{ kind: 'cas', expected: 'a', value: 'b' }, { applied: true }],
    [{ kind: 'cas', expected: 'a', value: 'c' }, { applied: true }],
  ],
  'a value from nowhere': [get('never written')],
  'a deleted value that came back': [set('a'), [{ kind: 'delete' }, { applied: true }], get('a')],
};

/** More than all other deltas of a history together, so that calls without an answer cannot make up for it. */
const MUCH = 1_000_000;

const add = (value: number): readonly [CounterInput, CounterOutput] => [
  { kind: 'add', delta: MUCH },
  { value },
];

/** @param sum what the counter is when the part begins */
export const counterFaults = (
  sum: number,
): Readonly<Record<string, readonly (readonly [CounterInput, CounterOutput])[]>> => ({
  'a lost increment': [add(sum + MUCH), [{ kind: 'get' }, { value: sum }]],
  'an increment applied twice': [add(sum + MUCH), [{ kind: 'get' }, { value: sum + 2 * MUCH }]],
  'an answer given twice': [add(sum + MUCH), add(sum + MUCH)],
});

/** The end of a history: later than every call that was answered. */
export function endOf(history: History<unknown, unknown>): number {
  return history.reduce((end, { invokedAt_us, endedAt_us }) => {
    return Math.max(end, invokedAt_us, Number.isFinite(endedAt_us) ? endedAt_us : 0);
  }, 0);
}
