/** Generates into a folder of its own and compares: the committed code must be what the contracts give today. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parse } from 'yaml';

interface BufGen {
  readonly plugins: readonly { readonly out: string }[];
}

/** What `npm run generate` runs: gomsg's own contracts, and the standard protocols of the transport. */
const templates = ['buf.gen.yaml', 'server/src/transport/proto/buf.gen.yaml'];

const outFolders = new Set(
  templates.flatMap((template) =>
    (parse(readFileSync(template, 'utf8')) as BufGen).plugins.map(({ out }) => out),
  ),
);

const fresh = mkdtempSync(join(tmpdir(), 'gomsg-generated-'));
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
for (const template of templates) {
  const { status } = spawnSync('buf', ['generate', '--template', template, '--output', fresh], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

const differences = [...outFolders].flatMap((out) => {
  const wanted = filesOf(join(fresh, out));
  const committed = filesOf(out);
  return [...new Set([...wanted.keys(), ...committed.keys()])]
    .filter((path) => wanted.get(path) !== committed.get(path))
    .map((path) => {
      const what = wanted.has(path)
        ? committed.has(path)
          ? 'is out of date'
          : 'is missing'
        : 'has no source';
      return `${join(out, path)} ${what}`;
    });
});
if (differences.length > 0) {
  console.log(`${differences.join('\n')}\nRun \`npm run generate\` and commit what it changes.`);
  process.exitCode = 1;
}

function filesOf(folder: string): Map<string, string> {
  if (!existsSync(folder)) return new Map();
  return new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(folder, path), readFileSync(path, 'utf8')]),
  );
}
