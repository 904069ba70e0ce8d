/** Runs every example against a fresh node and compares what it prints with the text beside it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NodeProcess } from '../server/src/testing/node-process.ts';

const examples = fileURLToPath(new URL('.', import.meta.url));
const root = join(examples, '..');
const binaries = mkdtempSync(join(tmpdir(), 'gomsg-examples-'));

interface Example {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly expected: string;
}

function scripts(folder: string, ending: string, program: string): Example[] {
  return readdirSync(join(examples, folder))
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length))
    .map((name) => ({
      name: `${folder}/${name}`,
      command: [program, join(examples, folder, name + ending)],
      expected: join(examples, folder, `${name}.expected.txt`),
    }));
}

function goPrograms(): Example[] {
  return readdirSync(join(examples, 'go'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({
      name: `go/${name}`,
      command: [join(binaries, name)],
      expected: join(examples, 'go', name, 'expected.txt'),
    }));
}

const all: Example[] = [
  ...scripts('nodejs', '.js', process.execPath),
  ...scripts('python', '.py', join(root, 'sdks', 'python', '.venv', 'bin', 'python')),
  ...goPrograms(),
];

beforeAll(() => {
  execFileSync('go', ['build', '-o', binaries, './...'], {
    cwd: join(examples, 'go'),
    stdio: ['ignore', 2, 2],
  });
  execFileSync(process.execPath, [join(root, 'scripts', 'python-env.ts')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
}, 300_000);

afterAll(() => rmSync(binaries, { recursive: true, force: true }));

describe('examples', () => {
  test('there are the same ones in every language', () => {
    const namesOf = (language: string) =>
      all
        .filter(({ name }) => name.startsWith(`${language}/`))
        .map(({ name }) => name.slice(language.length + 1))
        .sort();
    expect(namesOf('nodejs')).toEqual(['advanced', 'basic', 'cluster', 'reference']);
    expect(namesOf('python')).toEqual(namesOf('nodejs'));
    expect(namesOf('go')).toEqual(namesOf('nodejs'));
  });

  test.each(all)('$name prints what it should', { timeout: 90_000 }, async ({ command, expected }) => {
    await using node = NodeProcess.start({ flags: [] });
    const [program, ...args] = command;
    const { stdout, stderr, status } = spawnSync(program, args, {
      env: { ...process.env, GOMSG_SERVER: await node.ready, TZ: 'UTC' },
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(`${stdout}${stderr}`).toBe(readFileSync(expected, 'utf8'));
    expect(status).toBe(0);
  });
});
