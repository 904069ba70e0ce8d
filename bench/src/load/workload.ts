/** What a row of the bench does, and how it is driven. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { PipelineClient } from '@gomsg/client/pipeline';

/** Does one unit of work and gives the number of operations in it. */
export type Step = (worker: number) => Promise<number>;

export interface Workload {
  readonly id: string;
  readonly title: string;
  /** Steps under way at any time, each by a worker that begins the next when it is done. */
  readonly inFlight: number;
  /** Prepares the server and gives the step. Not measured. */
  prepare(client: PipelineClient): Promise<Step>;
}

export interface Measured {
  readonly operations: number;
  readonly elapsed_ms: number;
  /** Time of a step, in nanoseconds. HdrHistogram, three significant figures. */
  readonly latency: RecordableHistogram;
}

const LONGEST_STEP_NS = 60_000_000_000;

/**
 * Drives a workload as a closed loop: first a warm-up, then the window that counts. `onWindow` is called at its
 * beginning and end, for whatever else is to be read there. The first error of a step ends the row and is thrown.
 */
export async function drive(
  step: Step,
  inFlight: number,
  times: { readonly warmUp_ms: number; readonly window_ms: number },
  onWindow: (edge: 'begin' | 'end') => void,
): Promise<Measured> {
  const latency = createHistogram({ lowest: 1, highest: LONGEST_STEP_NS, figures: 3 });
  const began_ms = performance.now();
  let phase: 'warm-up' | 'window' | 'over' = 'warm-up';
  let windowBegan_ms = 0;
  let windowEnded_ms = 0;
  let operations = 0;

  /** Turned by the workers themselves: a timer would come late behind a busy loop's callbacks. */
  const turn = (now_ms: number) => {
    if (phase === 'warm-up' && now_ms - began_ms >= times.warmUp_ms) {
      phase = 'window';
      windowBegan_ms = now_ms;
      onWindow('begin');
    } else if (phase === 'window' && now_ms - windowBegan_ms >= times.window_ms) {
      phase = 'over';
      windowEnded_ms = now_ms;
      onWindow('end');
    }
  };

  const work = async (worker: number) => {
    while (phase !== 'over') {
      const stepBegan_ms = performance.now();
      const done = await step(worker);
      const now_ms = performance.now();
      if (phase === 'window') {
        operations += done;
        // A step that began in the warm-up is counted, as one that ends after the window is not; its time is whole.
        latency.record(Math.max(1, Math.round((now_ms - stepBegan_ms) * 1e6)));
      }
      turn(now_ms);
    }
  };
  try {
    await Promise.all(Array.from({ length: inFlight }, (_, worker) => work(worker)));
  } finally {
    phase = 'over';
  }
  return { operations, elapsed_ms: windowEnded_ms - windowBegan_ms, latency };
}
