/** What the figures depend on and are printed with. */
import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Environment {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Of the data folder; `tmpfs` never writes to a disk. */
  readonly fileSystem: string;
  /** An append of 4 KiB made durable: the floor of every write's time. */
  readonly fdatasync_p50_ms: number;
  readonly fdatasync_p99_ms: number;
  /** Of the machine, over the last minute, before the run: others that compete for the cores show here. */
  readonly load: number;
  /** Of the sources, where git knows it. */
  readonly commit: string | undefined;
}

/** Magic numbers of file systems (statfs(2)). */
const FILE_SYSTEMS: Record<number, string> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  801189825: 'zfs',
  26985: 'nfs',
};

const SYNCS = 200;
const SYNC_BYTES = 4096;

export function environment(dataDir: string): Environment {
  const all = cpus();
  const { type } = statfsSync(dataDir);
  const syncs_ms = measureSyncs(dataDir);
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    fileSystem: FILE_SYSTEMS[type] ?? `file system 0x${type.toString(16)}`,
    fdatasync_p50_ms: syncs_ms[Math.floor(SYNCS * 0.5)]!,
    fdatasync_p99_ms: syncs_ms[Math.floor(SYNCS * 0.99)]!,
    load: loadavg()[0]!,
    commit: commit(),
  };
}

/** Times of appends made durable, the shortest first. */
function measureSyncs(folder: string): number[] {
  const own = mkdtempSync(join(folder, 'gomsg-sync-'));
  const file = openSync(join(own, 'file'), 'w');
  try {
    const bytes = Buffer.alloc(SYNC_BYTES, 's');
    return Array.from({ length: SYNCS }, () => {
      const began_ms = performance.now();
      writeSync(file, bytes);
      fdatasyncSync(file);
      return performance.now() - began_ms;
    }).sort((a, b) => a - b);
  } finally {
    closeSync(file);
    rmSync(own, { recursive: true, force: true });
  }
}

function commit(): string | undefined {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    // No git, or no repository: the figures stand without it.
    return undefined;
  }
}
