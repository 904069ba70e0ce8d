import fc from 'fast-check';
import { expect, test } from 'vitest';
import { QueueService } from '../../gen/gomsg/v1/queue_pb.js';
import { QueueHarness } from './testing/queue-harness.ts';
import { step } from './testing/queue-steps.ts';

const rpc = QueueService.method;

test('any history of commands and restarts is what the model makes of it, byte for byte on leader and replica', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const harness = new QueueHarness();
      for (const one of steps) {
        harness.run(one);
        harness.check();
      }
      harness.leader.machine.save();
      harness.replica.machine.save();
      expect(harness.replica.store.dump()).toEqual(harness.leader.store.dump());

      for (const driver of [harness.leader, harness.replica]) {
        driver.call(rpc.delete, { queue: 'a' });
        driver.call(rpc.delete, { queue: 'b' });
        while (driver.expireDue());
        driver.machine.save();
        expect(driver.machine.nextDue_ms()).toBeUndefined();
        expect(driver.store.rows.size).toBeLessThanOrEqual(1);
      }
    }),
    { numRuns: 80 },
  );
});
