import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DataFolderLockedError } from './errors.ts';
import { lockFolder } from './folder-lock.ts';
import { temporaryFolder } from './testing/stores.ts';

/** A process that holds the lock of `folder` until it is killed. */
async function holderOf(folder: string): Promise<ChildProcess> {
  const script = `
    import { lockFolder } from ${JSON.stringify(new URL('./folder-lock.ts', import.meta.url).href)};
    const lock = lockFolder(${JSON.stringify(folder)});
    console.log(lock.folder);
    setInterval(() => lock.folder, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

function refusalOf(folder: string): DataFolderLockedError {
  try {
    lockFolder(folder).release();
  } catch (error) {
    if (error instanceof DataFolderLockedError) return error;
    throw error;
  }
  throw new Error('the folder was not locked');
}

describe('lockFolder', () => {
  it('refuses a second process, naming the folder and the holder', async () => {
    const folder = temporaryFolder();
    const holder = await holderOf(folder);
    const refusal = refusalOf(folder);
    expect(refusal).toMatchObject({ folder, holderPid: holder.pid, holderHost: hostname() });
    expect(refusal.message).toContain(folder);
    expect(refusal.message).toContain(String(holder.pid));
  });

  it('refuses also when the holder has not said who it is', async () => {
    const folder = temporaryFolder();
    await holderOf(folder);
    rmSync(join(folder, 'LOCK.holder'));
    expect(refusalOf(folder).holderPid).toBeUndefined();
  });

  it('gives the folder to the next one after kill -9', async () => {
    const folder = temporaryFolder();
    const holder = await holderOf(folder);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(existsSync(join(folder, 'LOCK.holder'))).toBe(true);
    lockFolder(folder).release();
  });

  it('refuses a second holder in the same process, until the first one lets go', () => {
    const folder = temporaryFolder();
    const lock = lockFolder(folder);
    expect(refusalOf(folder).holderPid).toBe(process.pid);
    lock.release();
    lock.release();
    lockFolder(folder).release();
  });

  it('keeps folders apart', () => {
    const first = lockFolder(temporaryFolder());
    const second = lockFolder(temporaryFolder());
    first.release();
    second.release();
  });
});
