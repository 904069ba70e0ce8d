import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../testing/run-command.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

function isMissing(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).error !== undefined;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-completion-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function scriptFile(shell: (typeof SHELLS)[number]): Promise<string> {
  const file = join(folder, `gomsg.${shell}`);
  writeFileSync(file, await script(shell));
  return file;
}

async function script(shell: (typeof SHELLS)[number]): Promise<string> {
  return (await runCommand(`completion ${shell}`)).out;
}

/** What bash offers behind a line; its last word is the one to complete. */
function completions(script: string, line: string): string[] {
  const words = line.split(' ');
  const program = `${script}
compopt() { :; }
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_gomsg
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-u', '-c', program], { encoding: 'utf8' });
  if (status !== 0 || stderr !== '') throw new Error(stderr);
  return stdout.split('\n').filter((word) => word !== '');
}

describe.each(SHELLS)('the script for %s', (shell) => {
  it('names every command and option', async () => {
    const text = await script(shell);
    for (const word of ['kv', 'put', 'push-batch', 'if-absent', 'consistency', 'watch-stats', 'in-flight']) {
      expect(text).toContain(word);
    }
  });

  it.skipIf(isMissing(shell))(`is one that ${shell} can read`, async () => {
    const { status, stderr } = spawnSync(shell, ['-n', await scriptFile(shell)], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe.skipIf(isMissing('fish'))('fish completes', () => {
  /** What fish offers behind a line, without the descriptions. */
  async function completions(line: string): Promise<string[]> {
    const program = 'source $argv[1]; complete -C $argv[2]';
    const args = ['--no-config', '-c', program, await scriptFile('fish'), line];
    const { stdout, stderr } = spawnSync('fish', args, { encoding: 'utf8' });
    if (stderr !== '') throw new Error(stderr.slice(0, 1_000));
    return stdout
      .split('\n')
      .filter((word) => word !== '')
      .map((word) => word.split('\t')[0]!);
  }

  it.each([
    ['services', 'gomsg ', ['kv', 'queue', 'serve', 'completion']],
    ['commands', 'gomsg kv ex', ['exists', 'expire', 'export']],
    ['commands behind options', 'gomsg -o json queue pu', ['push', 'push-batch', 'purge']],
    ['options', 'gomsg kv put a b --if', ['--if-absent', '--if-present', '--if-version']],
    ['values that are one of a few', 'gomsg kv get --consistency ', ['linearizable', 'stale']],
  ])('%s', async (_what, line, expected) => {
    expect(await completions(line)).toEqual(expect.arrayContaining(expected));
  });
});

describe('bash completes', () => {
  it('services, commands and aliases', async () => {
    const text = await script('bash');
    expect(completions(text, 'gomsg ')).toEqual(
      expect.arrayContaining(['kv', 'queue', 'serve', 'completion']),
    );
    expect(completions(text, 'gomsg kv ex')).toEqual(['exists', 'expire', 'export']);
    expect(completions(text, 'gomsg -o json queue pu')).toEqual(['push', 'push-batch', 'purge']);
  });

  it('options of a command, also of its alias, and the common ones', async () => {
    const text = await script('bash');
    expect(completions(text, 'gomsg kv set name alice --if')).toEqual([
      '--if-absent',
      '--if-present',
      '--if-version',
    ]);
    expect(completions(text, 'gomsg kv put --ti')).toEqual(['--timeout']);
  });

  it('values that are one of a few', async () => {
    const text = await script('bash');
    expect(completions(text, 'gomsg queue peek jobs --state d')).toEqual(['delayed', 'dead']);
    expect(completions(text, 'gomsg kv get a --output ')).toEqual(['text', 'json']);
    expect(completions(text, 'gomsg completion ')).toEqual(['bash', 'zsh', 'fish']);
  });

  it('nothing where only the user knows', async () => {
    const text = await script('bash');
    expect(completions(text, 'gomsg kv set a b --ttl ')).toEqual([]);
  });
});
