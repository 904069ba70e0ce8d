/** The tables of results that the README shows, one for each way to run: folders of cases down, SDKs across. */
import type { RunMode } from '../run/skipped.ts';
import type { CaseResult, Status } from '../run/suite.ts';

/** The flags of a run, which name its table: empty for one node. */
export function flagsOf({ nodes, killsLeader }: RunMode): string {
  return [...(nodes === 1 ? [] : [`--nodes ${nodes} `]), ...(killsLeader ? ['--kill-leader '] : [])].join('');
}

const END = '<!-- end of the matrix -->';

function beginOf(mode: RunMode): string {
  return `<!-- matrix: written by \`npm run conformance -- ${flagsOf(mode)}--write\` -->`;
}

const STATUSES: readonly { readonly status: Status; readonly name: string }[] = [
  { status: 'passed', name: 'passed' },
  { status: 'failed', name: 'failed' },
  { status: 'known-failing', name: 'known to fail' },
  { status: 'passes-unexpectedly', name: 'passes unexpectedly' },
  { status: 'skipped', name: 'not for it' },
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

/** A page with a new matrix between the marks of its mode. @throws Error when the page has no such marks */
export function withMatrix(page: string, mode: RunMode, table: string): string {
  const mark = beginOf(mode);
  const begin = page.indexOf(mark);
  const end = page.indexOf(END, begin);
  if (begin === -1 || end === -1) throw new Error(`the page has no ${mark}`);
  return `${page.slice(0, begin)}${mark}\n\n${table}\n\n${page.slice(end)}`;
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
