/** Rows that cannot be imported: they stop the import, or are told and left out. */
import { CommandError } from '../errors.ts';
import { ExitCode } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import type { BadRow, Row } from './record.ts';

/** Told one by one up to here; more are only counted. */
const MAX_SHOWN = 10;

export class BadRows {
  readonly #output: Output;
  readonly #skip: boolean;
  #count = 0;

  constructor(output: Output, skip: boolean) {
    this.#output = output;
    this.#skip = skip;
  }

  /** The item, or undefined after a bad row was told. */
  check<Item>({ number, end }: Row, item: Item | string): Item | undefined {
    if (typeof item !== 'string') return item;
    return this.add({ number, end, problem: item });
  }

  /** @throws CommandError unless bad rows are left out */
  readonly add = ({ number, problem }: BadRow): undefined => {
    if (!this.#skip) {
      throw new CommandError(`row ${number}: ${problem}`, {
        exitCode: ExitCode.failed,
        action: 'Correct the row and go on with --resume, or leave such rows out with --skip-bad.',
      });
    }
    this.#count += 1;
    if (this.#count <= MAX_SHOWN) this.#output.warn(`gomsg: row ${number} left out: ${problem}`);
    if (this.#count === MAX_SHOWN + 1) this.#output.warn('gomsg: further bad rows are only counted');
  };
}
