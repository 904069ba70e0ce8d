import { expect, it } from 'vitest';
import { LoadMeter } from './load-meter.ts';

/** A group that is led here, and a clock that the test moves. */
class Led {
  readonly group = {
    id: 1,
    isLeader: true,
    term: 1,
    writesTotal: 0,
    readsTotal: 0,
    state: { dataBytes: () => this.bytes },
  };
  now_ms = 5_000;
  bytes = 0;
  readonly meter = new LoadMeter(() => this.now_ms);

  constructor() {
    this.meter.sample([this.group]);
  }

  /** Calls at a rate, sampled every second. */
  run(seconds: number, writesPerSecond: number, readsPerSecond = 0): void {
    for (let second = 0; second < seconds; second++) {
      this.group.writesTotal += writesPerSecond;
      this.group.readsTotal += readsPerSecond;
      this.now_ms += 1_000;
      this.meter.sample([this.group]);
    }
  }
}

it('tells a steady rate as it is from the first second on, and how long it has measured', () => {
  const led = new Led();
  expect(led.meter.of(1)).toMatchObject({ writesPerSecond: 0, measured_ms: 0 });
  for (const seconds of [1, 10, 100]) {
    led.run(seconds, 100, 7);
    expect(led.meter.of(1)?.writesPerSecond).toBeCloseTo(100);
    expect(led.meter.of(1)?.readsPerSecond).toBeCloseTo(7);
  }
  expect(led.meter.of(1)?.measured_ms).toBe(111_000);
});

it('tells the size of the last sample', () => {
  const led = new Led();
  led.bytes = 5;
  led.run(1, 0);
  led.bytes = 7;
  expect(led.meter.of(1)?.bytes).toBe(5);
  led.run(1, 0);
  expect(led.meter.of(1)?.bytes).toBe(7);
});

it('forgets half of what was every 30 seconds', () => {
  const led = new Led();
  led.run(600, 1_000);
  led.run(30, 0);
  expect(led.meter.of(1)?.writesPerSecond).toBeCloseTo(500, -1);
  led.run(30, 0);
  expect(led.meter.of(1)?.writesPerSecond).toBeCloseTo(250, -1);
});

it('hardly moves for a burst of a second', () => {
  const led = new Led();
  led.run(300, 100);
  led.run(1, 1_000);
  expect(led.meter.of(1)?.writesPerSecond).toBeLessThan(125);
});

it('begins anew with a new term, a new replica, or after another node led', () => {
  const again: readonly ((led: Led) => void)[] = [
    ({ group }) => {
      group.term = 2;
    },
    ({ group }) => {
      group.writesTotal = 0;
    },
    ({ meter }) => meter.sample([]),
  ];
  for (const change of again) {
    const led = new Led();
    led.run(60, 100);
    change(led);
    led.run(1, 100);
    expect(led.meter.of(1)).toMatchObject({ writesPerSecond: 0, measured_ms: 0 });
    led.run(60, 200);
    expect(led.meter.of(1)?.writesPerSecond).toBeCloseTo(200);
    expect(led.meter.of(1)?.measured_ms).toBe(60_000);
  }
});

it('knows nothing of groups that others lead', () => {
  const led = new Led();
  led.meter.sample([{ ...led.group, isLeader: false }]);
  led.now_ms += 60_000;
  led.meter.sample([{ ...led.group, isLeader: false }]);
  expect(led.meter.of(1)).toBeUndefined();
  expect(led.meter.of(2)).toBeUndefined();
});
