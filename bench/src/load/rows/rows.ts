/** All rows, in the order in which they run. */
import type { Workload } from '../workload.ts';
import { kvGet } from './kv-get.ts';
import { kvSet } from './kv-set.ts';
import { queueCycle } from './queue-cycle.ts';
import { streamPublish } from './stream-publish.ts';
import { streamRead } from './stream-read.ts';

export const ROWS: readonly Workload[] = [
  kvSet(1),
  kvSet(50),
  kvSet(250),
  kvSet(1000),
  kvGet(50),
  queueCycle(250),
  streamPublish(1000),
  streamRead(4),
];
