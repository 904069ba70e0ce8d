/** The table of results that the README shows between two marks: folders of cases down, SDKs across. */
import type { CaseResult, Status } from '../run/suite.ts';

export const MATRIX_BEGIN = '<!-- matrix: written by `npm run conformance -- --write` -->';
export const MATRIX_END = '<!-- end of the matrix -->';

const STATUSES: readonly { readonly status: Status; readonly name: string }[] = [
  { status: 'passed', name: 'passed' },
  { status: 'failed', name: 'failed' },
  { status: 'known-failing', name: 'known to fail' },
  { status: 'passes-unexpectedly', name: 'passes unexpectedly' },
];

/** Markdown as the repository's formatter leaves it. */
export function matrix(results: readonly CaseResult[], time_ms: number): string {
  const sdks = [...new Set(results.map(({ sdk }) => sdk))];
  const folders = [...new Set(results.map(({ case: { id } }) => folderOf(id)))].sort();
  const rows = [
    ['cases', ...sdks],
    ...folders.map((folder) => [
      folder,
      ...sdks.map((sdk) =>
        counted(results.filter((result) => result.sdk === sdk && folderOf(result.case.id) === folder)),
      ),
    ]),
    ['**all**', ...sdks.map((sdk) => counted(results.filter((result) => result.sdk === sdk)))],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const [head, ...body] = rows;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const all = counted(results);
  return [
    line(head!),
    rule,
    ...body.map(line),
    '',
    `In all: ${all}, in ${(time_ms / 1000).toFixed(0)} s.`,
  ].join('\n');
}

/** A page with a new matrix between its marks. @throws Error when the page has no marks */
export function withMatrix(page: string, table: string): string {
  const begin = page.indexOf(MATRIX_BEGIN);
  const end = page.indexOf(MATRIX_END);
  if (begin === -1 || end < begin) throw new Error('the page has no marks for the matrix');
  return `${page.slice(0, begin)}${MATRIX_BEGIN}\n\n${table}\n\n${page.slice(end)}`;
}

function folderOf(id: string): string {
  return id.slice(0, id.lastIndexOf('/'));
}

function counted(results: readonly CaseResult[]): string {
  return STATUSES.flatMap(({ status, name }) => {
    const count = results.filter((result) => result.status === status).length;
    return count > 0 ? [`${count} ${name}`] : [];
  }).join(', ');
}
