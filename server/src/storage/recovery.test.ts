import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StoreDamagedError, StoreFormatError } from './errors.ts';
import { DATABASE_FILE, openDatabase, STORAGE_FORMAT } from './lmdb-database.ts';
import { bytes, openStore, temporaryFolder, textOf } from './testing/stores.ts';

const KEYS = 500;
const ALL = { from: '', to: '\xff' };

/**
 * A process that writes generations for ever: every key gets the generation's number, a range is emptied and filled
 * anew. It prints a number once the generation's checkpoint is flushed.
 */
function generationsInto(folder: string): ChildProcess {
  const script = `
    import { openLmdbStore } from ${JSON.stringify(new URL('./lmdb-store.ts', import.meta.url).href)};
    const store = await openLmdbStore(${JSON.stringify(folder)}, { onFatal: (error) => { throw error; } });
    const first = Number(Buffer.from(store.get('key 0') ?? '0').toString()) + 1;
    for (let generation = first; ; generation++) {
      const value = Buffer.from(String(generation));
      store.deleteRange('temporary', 'temporary~');
      for (let i = 0; i < ${KEYS}; i++) {
        store.put('key ' + i, value);
        store.insert('temporary ' + generation + ' ' + i, value);
      }
      await store.checkpoint();
      console.log(generation);
    }
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

describe('after kill -9', () => {
  it('a checkpoint is there as a whole or not at all, and none that was reported is missing', async () => {
    const folder = temporaryFolder();
    let reported = 0;
    for (let round = 0; round < 6; round++) {
      const child = generationsInto(folder);
      const goal = reported + 2 + round;
      for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
        reported = Number(line);
        // Not at once: on the way through the next generation, which is where the kill is meant to hit.
        if (reported === goal) setTimeout(() => child.kill('SIGKILL'), round);
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');

      const store = await openStore(folder);
      const values = [...store.range(ALL)].map((row) => textOf(row.value));
      expect(values).toHaveLength(2 * KEYS);
      expect(new Set(values).size).toBe(1);
      expect(Number(values[0])).toBeGreaterThanOrEqual(reported);
      await store.close();
    }
  });
});

describe('a disk that refuses a write', () => {
  it('kills the store with what LMDB said, and leaves what was flushed before', async () => {
    const folder = temporaryFolder();
    const script = `
      import { openLmdbStore } from ${JSON.stringify(new URL('./lmdb-store.ts', import.meta.url).href)};
      const store = await openLmdbStore(${JSON.stringify(folder)}, {
        onFatal: (error) => console.log('fatal:', error.cause.message),
      });
      store.put('key', Buffer.from('flushed'));
      await store.checkpoint();
      store.put('key', Buffer.from('lost'));
      for (let i = 0; i < 40; i++) store.put('large ' + i, new Uint8Array(100_000));
      await store.checkpoint().catch((error) => console.log('checkpoint:', error.name));
      await store.close();
      console.log('closed');
    `;
    // The limit of a file's size, in KiB, fails the write in the middle, as a full or broken disk would.
    const command = `ulimit -f 1024; exec "$0" --input-type=module --eval "$1"`;
    const { stdout } = await promisify(execFile)('bash', ['-c', command, process.execPath, script]);
    expect(stdout.split('\n')).toEqual([
      'fatal: LMDB refused the write: Input/output error',
      'checkpoint: StoreFailedError',
      'closed',
      '',
    ]);
    const store = await openStore(folder);
    expect([...store.range(ALL)].map((row) => [row.key, textOf(row.value)])).toEqual([['key', 'flushed']]);
    await store.close();
  });
});

describe('opening a folder', () => {
  async function filledFolder(): Promise<{ folder: string; file: string }> {
    const folder = temporaryFolder();
    const store = await openStore(folder);
    for (let i = 0; i < 5000; i++) store.put(`key ${i}`, bytes('value'));
    await store.checkpoint();
    await store.close();
    return { folder, file: join(folder, DATABASE_FILE) };
  }

  it('refuses a format of a newer version', async () => {
    const { folder } = await filledFolder();
    const { root } = openDatabase(folder, 1024 * 1024 * 1024);
    const newer = Buffer.alloc(4);
    newer.writeUInt32LE(STORAGE_FORMAT + 1);
    root.transactionSync(() => {
      void root.put('format', newer);
    });
    await root.close();
    const error = await openStore(folder).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StoreFormatError);
    expect(error).toMatchObject({ folder, found: STORAGE_FORMAT + 1, supported: STORAGE_FORMAT });
  });

  it('refuses a file that is no database, and does not touch it', async () => {
    const folder = temporaryFolder();
    const file = join(folder, DATABASE_FILE);
    const content = Buffer.alloc(20_000, 'no database ');
    writeFileSync(file, content);
    const error = await openStore(folder).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StoreDamagedError);
    expect(error).toMatchObject({ file });
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  it('refuses a database that was cut short', async () => {
    const { folder, file } = await filledFolder();
    truncateSync(file, Math.ceil(statSync(file).size / 2 / 4096) * 4096);
    await expect(openStore(folder)).rejects.toThrow(StoreDamagedError);
  });

  it('refuses a database whose pages were overwritten', async () => {
    const { folder, file } = await filledFolder();
    const zeros = Buffer.alloc(statSync(file).size - 2 * 4096);
    writeSync(openSync(file, 'r+'), zeros, 0, zeros.length, 2 * 4096);
    await expect(openStore(folder)).rejects.toThrow(StoreDamagedError);
  });

  it('opens after a refusal, once the cause is gone', async () => {
    const { folder, file } = await filledFolder();
    const content = readFileSync(file);
    writeFileSync(file, 'damage');
    await expect(openStore(folder)).rejects.toThrow(StoreDamagedError);
    writeFileSync(file, content);
    const store = await openStore(folder);
    expect(textOf(store.get('key 4999'))).toBe('value');
    await store.close();
  });
});
