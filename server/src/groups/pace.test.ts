import { expect, it } from 'vitest';
import { Pace } from './pace.ts';

const MIB = 1024 * 1024;

/** A pace on a clock that only its own waits move. */
class Paced {
  now_ms = 1_000;
  readonly waits: number[] = [];
  readonly pace = new Pace({
    bytesPerSecond: 10 * MIB,
    monotonic: () => this.now_ms,
    wait: async (ms) => {
      this.waits.push(ms);
    },
  });
}

it('what is sent without a pause takes its time at the rate', async () => {
  const paced = new Paced();
  for (let sent = 0; sent < 50; sent++) {
    await paced.pace.sent(MIB);
    paced.now_ms += paced.waits.at(-1)!;
  }
  expect(paced.now_ms - 1_000).toBeCloseTo(5_000);
});

it('several that send at once share the rate', async () => {
  const { pace, waits } = new Paced();
  await Promise.all([pace.sent(MIB), pace.sent(MIB), pace.sent(2 * MIB)]);
  expect(waits.map(Math.round)).toEqual([100, 200, 400]);
});

it('a rest is not made up for by a burst', async () => {
  const paced = new Paced();
  await paced.pace.sent(MIB);
  paced.now_ms += 60_000;
  await paced.pace.sent(MIB);
  await paced.pace.sent(MIB);
  expect(paced.waits.map(Math.round)).toEqual([100, 100, 200]);
});

it('what is through at once waits for nothing', async () => {
  const { pace, waits } = new Paced();
  await pace.sent(1_000);
  expect(waits).toEqual([]);
});
