/** The options that all imports share. */
import { choice, count, duration, size, text } from '../arguments/kinds.ts';
import { argument, flag, option, optionOr, type Values } from '../arguments/spec.ts';
import { formatOption } from './file-format.ts';

/** Most items of a call, by the contract. */
const MAX_BATCH = 10_000;

export const importSpecs = {
  file: argument('the file: NDJSON or CSV with headings; - is standard input'),
  format: formatOption,
  wholeRecord: flag('the value is the record itself: the line in NDJSON, a JSON object in CSV'),
  batch: optionOr(count, '1000', `rows a call, up to ${MAX_BATCH}`),
  batchBytes: optionOr(size, '1MiB', 'bytes a call'),
  skipBad: flag('leave out rows that cannot be read, instead of stopping there'),
  state: option(text('path'), 'where to record how far the import is; FILE.gomsg-import unless given'),
  resume: flag('go on where the recorded import stopped'),
  restart: flag('begin again, whatever is recorded'),
  retryFor: optionOr(duration, '60s', 'how long to wait for a server that is away'),
};

/** For imports in order, where one batch may be in doubt. */
export const doubtfulSpec = option(
  choice<'skip' | 'repeat', 'skip' | 'repeat'>({ skip: 'skip', repeat: 'repeat' }),
  'with --resume, when the server has forgotten the session: take the one batch in doubt for imported, or import it again',
);

export type ImportOptions = Values<typeof importSpecs> & {
  readonly doubtful?: 'skip' | 'repeat' | undefined;
  /** The options that decide what becomes of a row, as they were typed: a resumed import must have the same. */
  readonly shape: string;
};

/** Options with their values as one text, those left out left out. */
export function shapeOf(options: Readonly<Record<string, unknown>>): string {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => (value === true ? `--${name}` : `--${name} ${String(value)}`))
    .join(' ');
}

export function boundedBatch(batch: number): number {
  return Math.min(batch, MAX_BATCH);
}
