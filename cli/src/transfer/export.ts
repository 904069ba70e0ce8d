/** Moves what the server holds into a file, page by page, no faster than it is written. */

import type { GomsgError } from '@gomsg/client/errors';
import { duration, text } from '../arguments/kinds.ts';
import { argument, flag, option, optionOr, type Values } from '../arguments/spec.ts';
import { STANDARD_STREAM } from '../commands/content-source.ts';
import type { CommandContext } from '../context.ts';
import { ExitCode } from '../exit-codes.ts';
import type { JsonObject } from '../output/json.ts';
import { checkColumns, openRecordWriter, type RecordWriter } from './export-file.ts';
import { formatOf, formatOption } from './file-format.ts';
import { startProgress, summaryOf } from './progress.ts';
import { withRetries } from './retry.ts';

export const exportSpecs = {
  file: argument('the file: .ndjson or .csv; - is standard output'),
  format: formatOption,
  columns: option(text('a,b,c'), 'columns of a CSV file, in their order'),
  wholeRecord: flag('write each value as the record itself: the reverse of importing whole records'),
  retryFor: optionOr(duration, '60s', 'how long to wait for a server that is away'),
};

export type ExportOptions = Values<typeof exportSpecs>;

/** What is particular to an export of keys, a queue or a topic. */
export interface ExportJob<Item> {
  /** Columns of CSV unless given. */
  readonly columns: readonly string[];
  /** Pages of items; a call that fails is repeated through `retrying`. */
  pages(retrying: <T>(call: () => Promise<T>) => Promise<T>): AsyncIterable<readonly Item[]>;
  toRecord(item: Item): JsonObject;
  content(item: Item): Uint8Array;
  /** What the item is called in messages. */
  name(item: Item): string;
  /** How many there are, about; undefined when nobody knows. */
  total?(): Promise<number | undefined>;
  /** Called once a page is on disk; then the file is written in place, since the records are nowhere else. */
  written?(items: readonly Item[]): Promise<void>;
}

export async function runExport<Item>(
  context: CommandContext,
  options: ExportOptions,
  job: ExportJob<Item>,
): Promise<ExitCode> {
  const { output, signal } = context;
  const startedAt_ms = performance.now();
  const format = formatOf(options.file, options.format);
  const given = checkColumns(options.columns);
  const progress = await startProgress({ stream: context.stderr, total: await job.total?.() });
  const retries = {
    retryFor_ms: options.retryFor,
    signal,
    onRetry: (error: GomsgError) => progress.say(`${error.message}; trying again`),
  };
  const columns = given ?? (options.wholeRecord ? undefined : job.columns);
  let rows = 0;
  let writer: RecordWriter | undefined;
  try {
    const append = job.written !== undefined;
    writer = await openRecordWriter({ path: options.file, format, columns, append }, output);
    for await (const items of job.pages((call) => withRetries(retries, () => call()))) {
      if (options.wholeRecord) {
        await writer.writeWhole(items.map((item) => ({ name: job.name(item), content: job.content(item) })));
      } else {
        await writer.write(items.map(job.toRecord));
      }
      if (job.written !== undefined) {
        await writer.sync();
        await job.written(items);
      }
      rows += items.length;
      progress.update(rows, rows);
      if (signal.aborted) break;
    }
    if (signal.aborted) await writer.abandon();
    else await writer.finish();
  } catch (error) {
    await writer?.abandon();
    if (signal.aborted) return ExitCode.interrupted;
    throw error;
  } finally {
    progress.stop();
  }
  if (signal.aborted) return ExitCode.interrupted;
  const elapsed_ms = performance.now() - startedAt_ms;
  // Standard output may hold the records themselves.
  const summary = `exported ${summaryOf(rows, elapsed_ms)}`;
  if (options.file === STANDARD_STREAM) output.note(summary);
  else if (output.isJson) await output.json({ rows, elapsedMs: Math.round(elapsed_ms) });
  else await output.line(summary);
  return ExitCode.done;
}
