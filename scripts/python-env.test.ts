import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { preparePython } from './python-env.ts';

let folder: string;
let commands: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-python-env-'));
  commands = [];
  writeFileSync(join(folder, 'requirements-dev.txt'), 'pytest==1\n');
  writeFileSync(join(folder, 'pyproject.toml'), '[project]\n');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Prepares the folder with programs that only say that they ran. */
function prepare(fails?: RegExp): boolean {
  return preparePython({
    folder,
    run: (program, args) => {
      const command = [program, ...args].join(' ');
      commands.push(command);
      if (command.includes('venv')) mkdirSync(join(folder, '.venv'), { recursive: true });
      return fails === undefined || !fails.test(command);
    },
  });
}

describe('the Python environment', () => {
  test('is made with the requirements and the package, and then left alone', () => {
    expect(prepare()).toBe(true);
    expect(commands).toEqual([
      expect.stringMatching(/^python3 -m venv /),
      expect.stringMatching(/pip install .*requirements-dev\.txt$/),
      expect.stringMatching(/pip install .*--editable \.$/),
    ]);
    commands = [];
    expect(prepare()).toBe(true);
    expect(commands).toEqual([]);
  });

  test('is brought up to date when the requirements change, and not when only tools are told something', () => {
    prepare();
    commands = [];
    writeFileSync(join(folder, 'requirements-dev.txt'), 'pytest==2\n');
    expect(prepare()).toBe(true);
    expect(commands).toEqual([
      expect.stringContaining('requirements-dev.txt'),
      expect.stringContaining('--editable'),
    ]);
    commands = [];
    writeFileSync(join(folder, 'pyproject.toml'), '[project]\n[tool.mypy]\n');
    expect(prepare()).toBe(true);
    expect(commands).toEqual([]);
  });

  test('is not taken for made when an installation failed', () => {
    expect(prepare(/requirements-dev/)).toBe(false);
    commands = [];
    expect(prepare()).toBe(true);
    expect(commands).toHaveLength(3);
  });

  test('is made although a process died while it made it', () => {
    const goneProcess = 2 ** 22 + 1;
    writeFileSync(join(folder, '.venv.lock'), String(goneProcess));
    expect(prepare()).toBe(true);
  });
});
