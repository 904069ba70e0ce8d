/** The cases of a folder. */
import { globSync, readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { type Case, SERVER_KINDS } from './case.ts';
import { parseSteps } from './parse-step.ts';
import { SDK_NAMES } from './sdks.ts';
import { MapReader } from './yaml/reader.ts';
import { CaseFileError, readTree, type Tree } from './yaml/tree.ts';

const CASE_TIMEOUT_MS = 90_000;

/** All cases, by file and in their order there. @throws CaseFileError */
export function loadCases(folder: string): readonly Case[] {
  const files = globSync('**/*.yaml', { cwd: folder }).sort();
  return files.flatMap((file) => parseCases(file, readFileSync(join(folder, file), 'utf8')));
}

/** The cases of one file; `file` is its path below the folder of the cases. @throws CaseFileError */
export function parseCases(file: string, text: string): readonly Case[] {
  const tree = readTree(file, text);
  if (tree.kind !== 'list') throw new CaseFileError(tree.place, 'a file of cases is a list of them');
  const group = file.replace(/\.yaml$/, '').replaceAll('\\', '/');
  const names = new Set<string>();
  return tree.items.map((item) => {
    const parsed = parseCase(item, group);
    if (names.has(parsed.id)) throw new CaseFileError(parsed.place, `two cases are called ${parsed.id}`);
    names.add(parsed.id);
    return parsed;
  });
}

/** Those whose id matches one of the globs, such as `queue/**`; all without a glob. */
export function selectCases(cases: readonly Case[], globs: readonly string[]): readonly Case[] {
  if (globs.length === 0) return cases;
  return cases.filter(({ id }) => globs.some((glob) => id === glob || matchesGlob(id, glob)));
}

function parseCase(tree: Tree, group: string): Case {
  const reader = new MapReader(tree, 'a case');
  const name = reader.requiredWord('case');
  if (!/^[a-z0-9-]+$/.test(name))
    throw new CaseFileError(tree.place, `the name of a case has a-z, 0-9 and dashes: ${name}`);
  const sdks = reader.words('sdks');
  for (const sdk of sdks) {
    if (!SDK_NAMES.includes(sdk)) throw new CaseFileError(tree.place, `no SDK is called ${sdk}`);
  }
  const nodes = reader.oneOf('nodes', ['1', '3'] as const);
  const parsed: Case = {
    id: `${group}/${name}`,
    shows: reader.requiredWord('shows'),
    place: tree.place,
    server: reader.oneOf('server', SERVER_KINDS) ?? 'shared',
    sdks,
    nodes: nodes === undefined ? undefined : nodes === '1' ? 1 : 3,
    needsLeader: reader.word('needs_leader'),
    alone: reader.flag('alone'),
    timeout_ms: reader.duration_ms('timeout') ?? CASE_TIMEOUT_MS,
    steps: parseSteps(reader.required('steps')),
  };
  reader.end();
  return parsed;
}
