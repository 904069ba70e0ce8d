/** Items gathered into calls of bounded size. */
import type { BadRow, Row } from './record.ts';
import { isBad } from './record.ts';

/** Items that go in one call, and the rows that they came from. */
export interface Batch<Item> {
  readonly items: readonly Item[];
  /** Rows since the batch before, of which some may have been left out. */
  readonly rows: number;
  /** Number of the first and the last row. */
  readonly firstRow: number;
  readonly lastRow: number;
  /** Where reading goes on behind it. */
  readonly end: number;
}

export interface BatchLimits {
  readonly maxRows: number;
  /** By `sizeOf`; an item larger than that goes alone. */
  readonly maxBytes: number;
}

export interface Batching<Item> extends BatchLimits {
  /** Undefined leaves the row out. */
  toItem(row: Row): Item | undefined;
  /** A row that cannot be read: throws, or returns to leave it out. */
  onBadRow(row: BadRow): void;
  sizeOf(item: Item): number;
  /** Whether the item may go in one call with the one before; always unless given. */
  belongsWith?(item: Item, before: Item): boolean;
}

/** The same rows and limits give the same batches: a batch that is sent again after a restart is the same one. */
export async function* batchesOf<Item>(
  chunks: AsyncIterable<readonly (Row | BadRow)[]>,
  batching: Batching<Item>,
): AsyncGenerator<Batch<Item>> {
  let open = new OpenBatch<Item>();
  for await (const rows of chunks) {
    for (const row of rows) {
      const item = isBad(row) ? batching.onBadRow(row) : batching.toItem(row);
      if (item !== undefined) {
        const bytes = batching.sizeOf(item);
        const before = open.items.at(-1);
        const isFull = open.items.length >= batching.maxRows || open.bytes + bytes > batching.maxBytes;
        const isOther = before !== undefined && batching.belongsWith?.(item, before) === false;
        if (before !== undefined && (isFull || isOther)) {
          yield open.close();
          open = new OpenBatch();
        }
        open.items.push(item);
        open.bytes += bytes;
      }
      open.cover(row);
    }
  }
  if (open.rows > 0) yield open.close();
}

class OpenBatch<Item> {
  readonly items: Item[] = [];
  bytes = 0;
  rows = 0;
  #firstRow = 0;
  #lastRow = 0;
  #end = 0;

  cover(row: Row | BadRow): void {
    if (this.rows === 0) this.#firstRow = row.number;
    this.rows += 1;
    this.#lastRow = row.number;
    this.#end = row.end;
  }

  close(): Batch<Item> {
    return {
      items: this.items,
      rows: this.rows,
      firstRow: this.#firstRow,
      lastRow: this.#lastRow,
      end: this.#end,
    };
  }
}
