/** Generates into a folder of its own and compares: the committed code must be what the contracts give today. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { GENERATED_MARK } from '../sdks/generator/src/generated-file.ts';
import { generate, outFolders } from './templates.ts';

/** Folders of what is installed or built. */
const FOREIGN = new Set(['node_modules', '.venv', 'dist', 'build', '.build', '__pycache__', '.mypy_cache']);

const fresh = mkdtempSync(join(tmpdir(), 'gomsg-generated-'));
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
if (!generate(fresh)) process.exit(1);

const wanted = filesOf(fresh);
const committed = new Map(
  [...outFolders()].flatMap(([folder, { isOnlyGenerated }]) =>
    [...filesOf(folder)]
      // Beside hand-written files only those that say so are generated.
      .filter(([, text]) => isOnlyGenerated || text.slice(0, 1_000).includes(GENERATED_MARK))
      .map(([path, text]) => [join(folder, path), text] as const),
  ),
);
const differences = [...new Set([...wanted.keys(), ...committed.keys()])]
  .filter((path) => wanted.get(path) !== (committed.get(path) ?? readCommitted(path)))
  .map((path) => `${path} ${wanted.has(path) ? 'is missing or out of date' : 'has no source'}`);
if (differences.length > 0) {
  console.log(`${differences.join('\n')}\nRun \`npm run generate\` and commit what it changes.`);
  process.exitCode = 1;
}

/** Files without room for a mark, such as JSON. */
function readCommitted(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function filesOf(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  const walk = (at: string) => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isFile()) files.set(relative(folder, path), readFileSync(path, 'utf8'));
      else if (entry.isDirectory() && !FOREIGN.has(entry.name)) walk(path);
    }
  };
  walk(folder);
  return files;
}
