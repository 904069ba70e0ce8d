/**
 * Compares the contracts with those of the main branch: no change may break a client that was built from them.
 * The other side comes out of git as an archive, which a shallow clone, a detached checkout and a worktree all have.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SKIPPED_EXIT_CODE } from './suites.ts';

/** The first that exists; HEAD stands in where a clone holds one commit and no branch. */
const BASES = ['origin/main', 'main', 'HEAD'];

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

const base = BASES.find((ref) => git('rev-parse', '--verify', '--quiet', `${ref}^{commit}`) !== undefined);
if (base === undefined) {
  console.log('Skipped: no git history to compare with.');
  process.exit(SKIPPED_EXIT_CODE);
}
if (!git('ls-tree', '--name-only', base, 'buf.yaml')) {
  console.log(`Skipped: ${base} has no contracts yet.`);
  process.exit(SKIPPED_EXIT_CODE);
}

const folder = mkdtempSync(join(tmpdir(), 'gomsg-breaking-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const archive = join(folder, 'base.tar');
if (git('archive', '--format=tar', `--output=${archive}`, base, 'buf.yaml', 'proto') === undefined) {
  throw new Error(`git archive of ${base} failed`);
}
const { status } = spawnSync('buf', ['breaking', '--against', archive], { stdio: 'inherit' });
process.exitCode = status ?? 1;
