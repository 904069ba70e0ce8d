/** Rows in columns as wide as their widest cell. */

export interface Column<Row> {
  readonly title: string;
  /** Numbers stand under each other by their last digit. */
  readonly align?: 'left' | 'right';
  cell(row: Row): string;
}

const GAP = '  ';

/** One line each, the titles first; lines have no blanks at their end. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => oneLine(cell(row)))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => width(line[at]!))));
  return cells.map((line) =>
    line
      .map((cell, at) => {
        const blanks = ' '.repeat(widths[at]! - width(cell));
        return columns[at]!.align === 'right' ? blanks + cell : cell + blanks;
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** Names and values under each other, for one thing. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const widest = Math.max(...rows.map(([name]) => width(name)));
  return rows.map(([name, value]) =>
    `${name}${' '.repeat(widest - width(name))}${GAP}${oneLine(value)}`.trimEnd(),
  );
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Characters as people count them; that some take two columns in a terminal is left aside. */
function width(cell: string): number {
  return /^[\x20-\x7e]*$/.test(cell) ? cell.length : [...graphemes.segment(cell)].length;
}

function oneLine(cell: string): string {
  return cell.replace(/\r?\n/g, '↵');
}
