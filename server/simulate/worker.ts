/** A thread that plays batches. */
import { parentPort } from 'node:worker_threads';
import { type Batch, runBatch } from './batch.ts';

const port = parentPort;
if (port === null) throw new Error('this is a worker of server/simulate/main.ts');

port.on('message', (batch: Batch) => {
  runBatch(batch).then(
    (result) => port.postMessage(result),
    (error: unknown) => {
      throw error;
    },
  );
});
