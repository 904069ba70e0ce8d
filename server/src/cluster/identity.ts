/**
 * Who a node is: made on its first start and kept in its data folder for good.
 *
 * A small JSON file beside log and store, written once and atomically (new file, sync, rename, sync of the folder), so
 * that a person can read it and a crash leaves either none or a whole one.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface Identity {
  readonly nodeId: string;
  readonly clusterId: string;
  /** Data groups that the cluster was founded with. */
  readonly groups: number;
  /** Unix milliseconds. */
  readonly createdAt_ms: number;
}

/** The data folder belongs to another node, or lost its identity, or a newer program wrote it. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

const FILE = 'node.json';
const FORMAT_VERSION = 1;

export interface IdentityWanted {
  /** The node id that the settings name; undefined = whatever the folder says, or a new one. */
  readonly nodeId: string | undefined;
  readonly groups: number;
}

/** A new identity that is kept nowhere. */
export function newIdentity(wanted: IdentityWanted, now_ms: number): Identity {
  return {
    nodeId: wanted.nodeId ?? `node-${randomBytes(4).toString('hex')}`,
    clusterId: randomUUID(),
    groups: wanted.groups,
    createdAt_ms: now_ms,
  };
}

/** The identity of a data folder, made when the folder is new. @throws IdentityError */
export function loadIdentity(directory: string, wanted: IdentityWanted, now_ms: number): Identity {
  const file = join(directory, FILE);
  if (existsSync(file)) return check(readIdentity(file), wanted, directory);
  if (existsSync(join(directory, 'wal'))) {
    throw new IdentityError(
      `${directory} holds a log and no ${FILE}: put the file back from a copy of the folder, or start with an empty folder`,
    );
  }
  const identity = newIdentity(wanted, now_ms);
  writeDurably(
    directory,
    file,
    `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...identity }, null, 2)}\n`,
  );
  return identity;
}

function check(identity: Identity, wanted: IdentityWanted, directory: string): Identity {
  if (wanted.nodeId !== undefined && wanted.nodeId !== identity.nodeId) {
    throw new IdentityError(
      `${directory} belongs to node ${identity.nodeId}, not to ${wanted.nodeId}: give each node a data folder of its own`,
    );
  }
  return identity;
}

function readIdentity(file: string): Identity {
  const { formatVersion, nodeId, clusterId, groups, createdAt_ms } = parse(file);
  if (formatVersion !== FORMAT_VERSION) {
    throw new IdentityError(
      `${file} has format version ${String(formatVersion)}, and this gomsg knows ${FORMAT_VERSION}: run the version that wrote it`,
    );
  }
  if (
    typeof nodeId !== 'string' ||
    typeof clusterId !== 'string' ||
    typeof groups !== 'number' ||
    typeof createdAt_ms !== 'number'
  ) {
    throw new IdentityError(`${file} is damaged: put it back from a copy of the data folder`);
  }
  return { nodeId, clusterId, groups, createdAt_ms };
}

function parse(file: string): Record<string, unknown> {
  try {
    const stored: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof stored === 'object' && stored !== null) return stored as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new IdentityError(`${file} is damaged: put it back from a copy of the data folder`);
}

function writeDurably(directory: string, file: string, text: string): void {
  const fresh = `${file}.new`;
  const handle = openSync(fresh, 'w', 0o644);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(fresh, file);
  const folder = openSync(directory, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
