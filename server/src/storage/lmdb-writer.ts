/**
 * The thread that writes LMDB. Runs as a worker (its own entry in the bundle); `checkpoint-writer.ts` is the other
 * end. Each request is one transaction, synced before it is answered.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { BatchWriter } from './batch-writer.ts';
import type { WriterAnswer, WriterOptions, WriterRequest } from './checkpoint-batch.ts';
import { openDatabase } from './lmdb-database.ts';

if (parentPort === null) throw new Error('lmdb-writer runs as a worker thread only');
const port = parentPort;
const { directory, mapSizeBytes } = workerData as WriterOptions;
const { root, state } = openDatabase(directory, mapSizeBytes);
const writer = new BatchWriter(state);

port.on('message', (request: WriterRequest) => {
  if (request.kind === 'write') port.postMessage(answerTo(request));
  // With the port closed nothing keeps the thread alive.
  else void root.close().then(() => port.close());
});

function answerTo(request: WriterRequest & { kind: 'write' }): WriterAnswer {
  try {
    writer.write(request.batch);
    return { kind: 'flushed' };
  } catch (error) {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}
