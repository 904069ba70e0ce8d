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
  /** Number of the node in its cluster, 1 to 65535; 1 for a node on its own. */
  readonly nodeNumber: number;
  readonly clusterId: string;
  /** Whether it is a member of a cluster, or on its own. */
  readonly clustered: boolean;
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
/** Of a node on its own. Such a file may lack what came with clusters. */
const LONE_FORMAT_VERSION = 1;
/** Of a member of a cluster: a program that knows no clusters must not take the folder for a node on its own. */
const MEMBER_FORMAT_VERSION = 2;

export interface IdentityWanted {
  /** The node id that the settings name; undefined = whatever the folder says, or a new one. */
  readonly nodeId: string | undefined;
  readonly groups: number;
}

/** A new identity that is kept nowhere. */
export function newIdentity(wanted: IdentityWanted, now_ms: number): Identity {
  return {
    nodeId: wanted.nodeId ?? `node-${randomBytes(4).toString('hex')}`,
    nodeNumber: 1,
    clusterId: randomUUID(),
    clustered: false,
    groups: wanted.groups,
    createdAt_ms: now_ms,
  };
}

/** The identity of a node on its own, made when the folder is new. @throws IdentityError */
export function loadIdentity(directory: string, wanted: IdentityWanted, now_ms: number): Identity {
  const stored = readIdentity(directory, wanted.nodeId);
  if (stored?.clustered) {
    throw new IdentityError(
      `${directory} belongs to node ${stored.nodeId} of a cluster: start it with --cluster, or choose another folder`,
    );
  }
  if (stored !== undefined) return stored;
  const identity = newIdentity(wanted, now_ms);
  saveIdentity(directory, identity);
  return identity;
}

/** The identity that a data folder holds; undefined for a new folder. @throws IdentityError */
export function readIdentity(directory: string, nodeId: string | undefined): Identity | undefined {
  const file = join(directory, FILE);
  if (existsSync(file)) return check(parseIdentity(file), nodeId, directory);
  if (!existsSync(join(directory, 'wal'))) return undefined;
  throw new IdentityError(
    `${directory} holds a log and no ${FILE}: put the file back from a copy of the folder, or start with an empty folder`,
  );
}

/** Replaces the identity of a data folder, durably and as a whole. */
export function saveIdentity(directory: string, identity: Identity): void {
  const formatVersion = identity.clustered ? MEMBER_FORMAT_VERSION : LONE_FORMAT_VERSION;
  const text = `${JSON.stringify({ formatVersion, ...identity }, null, 2)}\n`;
  writeDurably(directory, join(directory, FILE), text);
}

function check(identity: Identity, nodeId: string | undefined, directory: string): Identity {
  if (nodeId !== undefined && nodeId !== identity.nodeId) {
    throw new IdentityError(
      `${directory} belongs to node ${identity.nodeId}, not to ${nodeId}: give each node a data folder of its own`,
    );
  }
  return identity;
}

function parseIdentity(file: string): Identity {
  const { formatVersion, nodeId, nodeNumber, clusterId, clustered, groups, createdAt_ms } = parse(file);
  if (formatVersion !== LONE_FORMAT_VERSION && formatVersion !== MEMBER_FORMAT_VERSION) {
    throw new IdentityError(
      `${file} has format version ${String(formatVersion)}, and this gomsg knows ${LONE_FORMAT_VERSION} and ${MEMBER_FORMAT_VERSION}: run the version that wrote it`,
    );
  }
  const isMember = formatVersion === MEMBER_FORMAT_VERSION;
  if (
    typeof nodeId !== 'string' ||
    typeof clusterId !== 'string' ||
    typeof groups !== 'number' ||
    typeof createdAt_ms !== 'number' ||
    (isMember && (typeof nodeNumber !== 'number' || clustered !== true))
  ) {
    throw new IdentityError(`${file} is damaged: put it back from a copy of the data folder`);
  }
  return {
    nodeId,
    nodeNumber: typeof nodeNumber === 'number' ? nodeNumber : 1,
    clusterId,
    clustered: isMember,
    groups,
    createdAt_ms,
  };
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

/** Puts a file in place as a whole: a crash leaves the old one or the new one. */
export function writeDurably(directory: string, file: string, text: string): void {
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
