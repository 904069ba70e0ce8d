/** How a transfer is getting on: a bar for people, on standard error, nothing for pipes and files. */
import type { SingleBar } from 'cli-progress';
import { humanCount, humanMs } from '../output/human.ts';

const RENDERS_A_SECOND = 5;

export interface Progress {
  /** `done` of `total`, as `start` counted them. */
  update(rows: number, done: number): void;
  /** Shown beside the bar until the next update, such as that the server is away. */
  say(text: string): void;
  stop(): void;
}

export interface ProgressOptions {
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** What `done` counts up to; undefined when nobody knows. */
  readonly total: number | undefined;
}

export async function startProgress({ stream, total }: ProgressOptions): Promise<Progress> {
  if (!stream.isTTY) return { update() {}, say() {}, stop() {} };
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    stream,
    fps: RENDERS_A_SECOND,
    hideCursor: true,
    clearOnComplete: true,
    format: total === undefined ? '{figures}' : '{bar} {percentage}%  {figures}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
  });
  return new BarProgress(bar, total);
}

class BarProgress implements Progress {
  readonly #bar: SingleBar;
  readonly #startedAt_ms = performance.now();
  #done = 0;

  constructor(bar: SingleBar, total: number | undefined) {
    this.#bar = bar;
    bar.start(total ?? 1, 0, { figures: '' });
  }

  update(rows: number, done: number): void {
    this.#done = done;
    this.#bar.update(done, { figures: rateOf(rows, performance.now() - this.#startedAt_ms) });
  }

  say(text: string): void {
    this.#bar.update(this.#done, { figures: text });
  }

  stop(): void {
    this.#bar.stop();
  }
}

function rateOf(rows: number, elapsed_ms: number): string {
  return `${humanCount(rows)} rows  ${humanCount(Math.round((rows * 1_000) / Math.max(elapsed_ms, 1)))}/s`;
}

/** `138,398 rows in 2.1s (65,900 rows/s)`. */
export function summaryOf(rows: number, elapsed_ms: number): string {
  const rate = Math.round((rows * 1_000) / Math.max(elapsed_ms, 1));
  return `${humanCount(rows)} rows in ${humanMs(elapsed_ms)} (${humanCount(rate)} rows/s)`;
}
