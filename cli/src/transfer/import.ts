/**
 * Moves the rows of a file into the server, in batches, each of them once.
 *
 * A server that is away is waited for. What was acknowledged is recorded in a checkpoint file, so that a run that
 * ended early, also by kill -9, is gone on with by --resume: key/value imports write the same keys again, imports
 * into queues and topics send their last batch again in the same place of the same session (session.ts).
 */
import { statSync } from 'node:fs';
import { ErrorReason, GomsgError } from '@gomsg/client/errors';
import type { RawCallOptions } from '@gomsg/client/raw';
import { fileError, STANDARD_STREAM } from '../commands/content-source.ts';
import type { CommandContext } from '../context.ts';
import { CommandError } from '../errors.ts';
import { ExitCode } from '../exit-codes.ts';
import { BadRows } from './bad-rows.ts';
import { type Batch, batchesOf } from './batches.ts';
import { formatOf, openRows } from './file-format.ts';
import type { ImportOptions } from './import-options.ts';
import { ImportRecord, resumeHint } from './import-record.ts';
import { InFlight } from './in-flight.ts';
import { startProgress, summaryOf } from './progress.ts';
import type { Row } from './record.ts';
import { isTransient, withRetries } from './retry.ts';
import { ImportSession } from './session.ts';

/** What is particular to an import into keys, a queue or a topic. */
export interface ImportJob<Item> {
  /** Such as `queue jobs`. */
  readonly target: string;
  /** A text says why the row is bad. */
  toItem(row: Row): Item | string;
  sizeOf(item: Item): number;
  belongsWith?(item: Item, before: Item): boolean;
  send(items: readonly Item[], call: RawCallOptions): Promise<void>;
  /**
   * Given: several batches go at a time, and some perhaps twice; two with an item of one key never overlap.
   * Left out: one batch at a time, each applied once, by a session, for what counts messages and keeps their order.
   */
  keyOf?(item: Item): string;
}

/** Batches of a key/value import on their way at once. */
const MAX_BATCHES_IN_FLIGHT = 4;

export async function runImport<Item>(
  context: CommandContext,
  options: ImportOptions,
  job: ImportJob<Item>,
): Promise<ExitCode> {
  const { client, output, signal } = context;
  const startedAt_ms = performance.now();
  const format = formatOf(options.file, options.format);
  const record = ImportRecord.open(job.target, format, options);
  const progress = await startProgress({ stream: context.stderr, total: totalBytes(options.file) });
  const retries = {
    retryFor_ms: options.retryFor,
    signal,
    onRetry: (error: GomsgError) => progress.say(`${error.message}; trying again`),
  };
  // Ctrl-C lets the calls on their way finish, so that nothing is in doubt.
  const { signal: _, ...call } = context.call();

  let session: ImportSession | undefined;
  const checkpoint = () => {
    record.save(session?.place);
    session?.confirmReceived();
  };
  // Before the first batch goes out, and no earlier: where nothing was sent there is nothing to resume.
  let hasBegun = false;
  const begin = () => {
    if (!hasBegun) checkpoint();
    hasBegun = true;
  };
  const send = (batch: Batch<Item>) =>
    withRetries(retries, (attempt) => {
      if (batch.items.length === 0) return Promise.resolve();
      const once = (options: RawCallOptions) => job.send(batch.items, options);
      return session === undefined ? once(call) : session.try(attempt, call, once);
    }).catch((error: unknown) => {
      throw explained(error, record, batch);
    });

  const reader = openRows(options.file, context.stdin, format, record.position);
  const badRows = new BadRows(output, options.skipBad);
  let rows = 0;
  const inFlight = new InFlight<Item>({
    max: job.keyOf === undefined ? 1 : MAX_BATCHES_IN_FLIGHT,
    ...(job.keyOf !== undefined && { keyOf: job.keyOf }),
    settled: (batch) => {
      session?.advance();
      record.advance(batch, reader.columns);
      rows += batch.items.length;
      checkpoint();
      progress.update(rows, batch.end);
    },
  });
  try {
    if (job.keyOf === undefined) {
      session =
        record.session !== undefined && options.doubtful === undefined
          ? ImportSession.resume(record.session)
          : await withRetries(retries, () => ImportSession.open(client, call));
    }
    let skipDoubtful = options.doubtful === 'skip' && record.session !== undefined;
    const batching = {
      ...record.limits,
      toItem: (row: Row) => badRows.check(row, job.toItem(row)),
      onBadRow: badRows.add,
      sizeOf: job.sizeOf,
      ...(job.belongsWith !== undefined && { belongsWith: job.belongsWith }),
    };
    for await (const batch of batchesOf(reader.rows(), batching)) {
      if (signal.aborted) break;
      await inFlight.add(batch, () => {
        begin();
        const isSkipped = skipDoubtful;
        skipDoubtful = false;
        return isSkipped ? Promise.resolve() : send(batch);
      });
    }
    await inFlight.drain();
  } catch (error) {
    await inFlight.abandon();
    if (hasBegun) checkpoint();
    if (signal.aborted && isTransient(error instanceof CommandError ? error.cause : error))
      return interrupted();
    throw error;
  } finally {
    progress.stop();
  }
  if (signal.aborted) return interrupted();
  // A session that stays open is forgotten by the server when it has idled long enough.
  await session?.close(client, call).catch(() => {});
  record.remove();
  const elapsed_ms = performance.now() - startedAt_ms;
  if (output.isJson) {
    await output.json({ rows, leftOut: record.leftOut, elapsedMs: Math.round(elapsed_ms) });
  } else {
    const leftOut = record.leftOut === 0 ? '' : `, ${record.leftOut} bad rows left out`;
    await output.line(`imported ${summaryOf(rows, elapsed_ms)}${leftOut}`);
  }
  return ExitCode.done;

  function interrupted(): ExitCode {
    output.warn(`gomsg: stopped after ${summaryOf(rows, performance.now() - startedAt_ms)}`);
    output.warn(resumeHint(record));
    return ExitCode.interrupted;
  }
}

function totalBytes(file: string): number | undefined {
  if (file === STANDARD_STREAM) return undefined;
  try {
    return statSync(file).size;
  } catch (error) {
    throw fileError(file, error);
  }
}

/** The failure with the rows that it is about, and how to go on. */
function explained(error: unknown, record: ImportRecord, batch: Batch<unknown>): unknown {
  if (!(error instanceof GomsgError)) return error;
  const rows = `rows ${batch.firstRow} to ${batch.lastRow}`;
  if (error.reason === ErrorReason.SESSION_EXPIRED) {
    return new CommandError(
      `the server has forgotten this import: ${rows} may or may not be in (${error.message})`,
      {
        exitCode: ExitCode.failed,
        action:
          'Look whether they are, then add --resume and --doubtful skip if they are, --doubtful repeat if not.',
        cause: error,
      },
    );
  }
  return new CommandError(`${rows}: ${error.message}`, {
    exitCode: isTransient(error) ? ExitCode.unreachable : ExitCode.failed,
    action: `${error.action} ${resumeHint(record)}`.trim(),
    cause: error,
  });
}
