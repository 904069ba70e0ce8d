import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COUNTER, type CounterInput, type CounterOutput } from './counter.ts';
import {
  asHistory,
  Counters,
  choices,
  counterFaults,
  endOf,
  oneAfterAnother,
  REGISTER_FAULTS,
  Registers,
  SMALL,
} from './generated.ts';
import type { History, Operation } from './history.ts';
import { type CheckOptions, checkLinearizable } from './linearizability.ts';
import { Porcupine, PorcupineError } from './porcupine.ts';
import { REGISTER, type RegisterInput, type RegisterOutput } from './register.ts';

type Call = Operation<RegisterInput, RegisterOutput>;

let porcupine: Porcupine;
beforeAll(async () => {
  porcupine = await Porcupine.build();
}, 120_000);
afterAll(() => porcupine?.[Symbol.dispose]());

const outcome = (history: History<RegisterInput, RegisterOutput>): string =>
  checkLinearizable(REGISTER, history).outcome;

const call = (
  client: number,
  [invokedAt_us, endedAt_us]: readonly [number, number],
  input: RegisterInput,
  output?: RegisterOutput,
): Call => ({
  client,
  key: 'k',
  input,
  invokedAt_us,
  ...(output === undefined
    ? { outcome: 'unknown', endedAt_us: Number.POSITIVE_INFINITY }
    : { outcome: 'ok', output, endedAt_us }),
});
const set = (value: string): RegisterInput => ({ kind: 'set', value });
const GET: RegisterInput = { kind: 'get' };

describe('a history by hand', () => {
  it('without operations is linearizable', () => {
    expect(checkLinearizable(REGISTER, [])).toEqual({ outcome: 'linearizable', keys: 0, operations: 0 });
  });

  it('a read beside a write may see it or not', () => {
    const write = call(1, [0, 10], set('a'), {});
    expect(outcome([write, call(2, [5, 15], GET, { value: 'a' })])).toBe('linearizable');
    expect(outcome([write, call(2, [5, 15], GET, { value: null })])).toBe('linearizable');
  });

  it('a read after a write sees it', () => {
    const write = call(1, [0, 10], set('a'), {});
    expect(outcome([write, call(2, [11, 15], GET, { value: null })])).toBe('violation');
  });

  it('calls that end and begin in the same microsecond overlap', () => {
    const write = call(1, [0, 10], set('a'), {});
    expect(outcome([write, call(2, [10, 15], GET, { value: null })])).toBe('linearizable');
  });

  it('two readers must agree in which order two writes came', () => {
    const writes = [call(1, [0, 100], set('a'), {}), call(2, [0, 100], set('b'), {})];
    const reads = (client: number, ...values: string[]): Call[] =>
      values.map((value, index) => call(client, [20 * index + 1, 20 * index + 10], GET, { value }));
    expect(outcome([...writes, ...reads(3, 'a', 'b'), ...reads(4, 'a', 'b')])).toBe('linearizable');
    expect(outcome([...writes, ...reads(3, 'a', 'b'), ...reads(4, 'b', 'a')])).toBe('violation');
  });

  it('a write without an answer may take effect late, or never, but once', () => {
    const write = call(1, [0, 0], set('a'));
    const reads = (...values: (string | null)[]): Call[] =>
      values.map((value, index) => call(2, [10 * index + 1, 10 * index + 5], GET, { value }));
    expect(outcome([write, ...reads(null, null)])).toBe('linearizable');
    expect(outcome([write, ...reads(null, 'a')])).toBe('linearizable');
    expect(outcome([write, ...reads('a', null)])).toBe('violation');
  });

  it('a write that was refused never takes effect', () => {
    const refused: Call = {
      client: 1,
      key: 'k',
      input: set('a'),
      outcome: 'fail',
      invokedAt_us: 0,
      endedAt_us: 5,
    };
    expect(outcome([refused, call(2, [10, 15], GET, { value: null })])).toBe('linearizable');
    expect(outcome([refused, call(2, [10, 15], GET, { value: 'a' })])).toBe('violation');
  });

  it('keys are looked at each on its own', () => {
    const other = { ...call(2, [11, 15], GET, { value: null }), key: 'other' };
    expect(checkLinearizable(REGISTER, [call(1, [0, 10], set('a'), {}), other])).toMatchObject({ keys: 2 });
  });
});

describe('a right history', () => {
  it('of registers is taken by both checkers', async () => {
    const histories = fc.sample(
      choices(SMALL).map((chosen) => asHistory(chosen, new Registers())),
      { numRuns: 150, seed: 1 },
    );
    expect(histories.map(outcome)).toEqual(histories.map(() => 'linearizable'));
    expect(await porcupine.check('register', histories)).toEqual(histories.map(() => 'linearizable'));
  });

  it('of counters is taken by both checkers', async () => {
    const histories = fc.sample(
      choices(SMALL).map((chosen) => asHistory(chosen, new Counters())),
      { numRuns: 150, seed: 2 },
    );
    const outcomes = histories.map((history) => checkLinearizable(COUNTER, history).outcome);
    expect(outcomes).toEqual(histories.map(() => 'linearizable'));
    expect(await porcupine.check('counter', histories)).toEqual(histories.map(() => 'linearizable'));
  });
});

describe('a wrong history is refused by both checkers:', () => {
  const bases = fc.sample(choices(SMALL), { numRuns: 25, seed: 3 });

  it.each(Object.entries(REGISTER_FAULTS))('%s', async (_name, fault) => {
    const histories = bases.map((chosen) => {
      const right = asHistory(chosen, new Registers());
      return [...right, ...oneAfterAnother('k1', endOf(right) + 1, fault)];
    });
    expect(histories.map(outcome)).toEqual(histories.map(() => 'violation'));
    expect(await porcupine.check('register', histories)).toEqual(histories.map(() => 'violation'));
  });

  it.each(Object.keys(counterFaults(0)))('%s', async (name) => {
    const histories = bases.map((chosen) => {
      const counters = new Counters();
      const right = asHistory(chosen, counters);
      const fault = counterFaults(counters.sum('k1'))[name]!;
      return [...right, ...oneAfterAnother<CounterInput, CounterOutput>('k1', endOf(right) + 1, fault)];
    });
    const outcomes = histories.map((history) => checkLinearizable(COUNTER, history).outcome);
    expect(outcomes).toEqual(histories.map(() => 'violation'));
    expect(await porcupine.check('counter', histories)).toEqual(histories.map(() => 'violation'));
  });
});

it('the two checkers agree about histories that nobody made right', async () => {
  const value = fc.constantFrom('a', 'b');
  const seen = fc.option(value, { nil: null });
  const what: fc.Arbitrary<readonly [RegisterInput, RegisterOutput]> = fc.oneof(
    seen.map((read) => [GET, { value: read }] as const),
    value.map((written) => [set(written), {}] as const),
    fc.tuple(seen, value, fc.boolean()).map(([expected, written, applied]) => {
      return [{ kind: 'cas', expected, value: written } as const, { applied }] as const;
    }),
    fc.boolean().map((applied) => [{ kind: 'delete' } as const, { applied }] as const),
  );
  const operation = fc
    .record({ client: fc.nat(9), what, from: fc.nat(40), length: fc.nat(25), answered: fc.nat(3) })
    .map(({ client, what: [input, output], from, length, answered }) =>
      call(client, [from, from + length], input, answered === 0 ? undefined : output),
    );
  const histories = fc.sample(fc.array(operation, { minLength: 2, maxLength: 9 }), { numRuns: 600, seed: 4 });
  const ours = histories.map(outcome);
  expect(await porcupine.check('register', histories)).toEqual(ours);
  // The question is only worth asking when both answers come often.
  const violations = ours.filter((each) => each === 'violation').length;
  expect(violations).toBeGreaterThan(100);
  expect(violations).toBeLessThan(500);
});

describe('Porcupine', () => {
  it('answers each of several histories', async () => {
    const right = [call(1, [0, 10], set('a'), {}), call(2, [11, 15], GET, { value: 'a' })];
    const wrong = [call(1, [0, 10], set('a'), {}), call(2, [11, 15], GET, { value: null })];
    expect(await porcupine.check('register', [right, wrong, right])).toEqual([
      'linearizable',
      'violation',
      'linearizable',
    ]);
    expect(await porcupine.check('register', [])).toEqual([]);
  });

  it('says what it cannot read', async () => {
    const history = [call(1, [0, 10], set('a'), {})];
    await expect(porcupine.check('stack', [history])).rejects.toThrow(PorcupineError);
    const endless = [{ ...history[0]!, endedAt_us: Number.POSITIVE_INFINITY }];
    await expect(porcupine.check('register', [endless])).rejects.toThrow('line 1: answered, and has no end');
  });
});

describe('a counterexample', () => {
  it('shows the order that goes as far as possible, the state, and what does not fit', () => {
    const chosen = fc.sample(choices({ ...SMALL, calls: 200 }), { numRuns: 1, seed: 5 })[0]!;
    const right = asHistory(chosen, new Registers());
    const fault = oneAfterAnother('k1', endOf(right) + 1, REGISTER_FAULTS['a stale read']!);
    const verdict = checkLinearizable(REGISTER, [...right, ...fault]);
    expect(verdict).toMatchObject({ outcome: 'violation', key: 'k1' });
    const { counterexample } = verdict as { counterexample: string };
    expect(counterexample).toMatch(
      /^k1: not linearizable as a register\. \d+ of its \d+ operations show it\./,
    );
    expect(counterexample).toContain('Then the value is "new", and one of these had to come next:\n');
    expect(counterexample).toMatch(/client 1000: get → "old"/);
  });

  it('is short: neither reads without a part in it, nor what came later', () => {
    const reads = Array.from({ length: 50 }, (_, index) =>
      call(2, [100 + 10 * index, 105 + 10 * index], GET, { value: 'a' }),
    );
    const history = [
      call(1, [0, 10], set('a'), {}),
      ...reads,
      call(1, [1_000, 1_010], GET, { value: 'b' }),
      call(1, [2_000, 2_010], set('c'), {}),
    ];
    const verdict = checkLinearizable(REGISTER, history);
    expect((verdict as { counterexample: string }).counterexample).toContain(
      '2 of its 53 operations show it',
    );
  });
});

describe('limits', () => {
  it('a search that is out of time says so', () => {
    const history = oneAfterAnother(
      'k',
      0,
      Array.from({ length: 1_000 }, (_, i) => [set(`v${i}`), {}] as const),
    );
    let time_ms = 0;
    expect(checkLinearizable(REGISTER, history, { budget_ms: 2, now_ms: () => time_ms++ })).toEqual({
      outcome: 'undecided',
      key: 'k',
      reason: 'out of time',
    });
  });

  it('a search that needs too much memory says so', () => {
    const history = oneAfterAnother('k', 0, [
      [set('a'), {}],
      [set('b'), {}],
      [GET, { value: 'b' }],
    ]);
    expect(checkLinearizable(REGISTER, history, { maxConfigurations: 1 })).toMatchObject({
      outcome: 'undecided',
    });
  });

  /** A clock that goes on at each look at it: the search looks every few hundred steps, however fast the machine. */
  const lookingClock = (looks: number): CheckOptions => {
    let looked = 0;
    return { budget_ms: looks, now_ms: () => looked++ };
  };

  it('2,000 operations of 10 clients on 20 keys take no more than some thousand steps', () => {
    const size = { calls: 4_000, keys: 20, clients: 10, ordinaryFates: 30 };
    const chosen = fc.sample(choices(size), { numRuns: 1, seed: 6 })[0]!.slice(0, 2_000);
    const history = asHistory(chosen, new Registers());
    expect(checkLinearizable(REGISTER, history, lookingClock(20))).toEqual({
      outcome: 'linearizable',
      keys: 20,
      operations: 2_000,
    });
  });

  it('a violation among many writes without an answer is found, not drowned', () => {
    const unanswered = Array.from({ length: 20 }, (_, index) => call(index, [index, 0], set(`u${index}`)));
    const answered = oneAfterAnother(
      'k',
      1_000,
      Array.from({ length: 100 }, (_, index) => [set(`v${index}`), {}] as const),
    );
    const fault = oneAfterAnother('k', 10_000, REGISTER_FAULTS['a stale read']!);
    const history = [...unanswered, ...answered, ...fault];
    expect(checkLinearizable(REGISTER, history, lookingClock(500)).outcome).toBe('violation');
  });
});
