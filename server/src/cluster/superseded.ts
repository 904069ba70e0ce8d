/**
 * A mark in the data folder of a founder that turned out to be a member of another cluster, with its folder emptied: the
 * next start must not serve the empty cluster again (docs/decisions/024-second-foundings.md).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './identity.ts';
import type { ForeignMember } from './links/options.ts';

const FILE = 'superseded.json';

/** The cluster that this node founded is not the one that its address stands for. */
export class SupersededError extends Error {
  override readonly name = 'SupersededError';
}

/** Keeps the next starts off the cluster of this folder, and says why. */
export function supersede(dataDir: string, ownClusterId: string, by: ForeignMember): SupersededError {
  writeDurably(dataDir, join(dataDir, FILE), `${JSON.stringify({ ownClusterId, ...by }, null, 2)}\n`);
  return explained(dataDir, ownClusterId, by);
}

/** @throws SupersededError */
export function checkNotSuperseded(dataDir: string): void {
  const file = join(dataDir, FILE);
  if (!existsSync(file)) return;
  const { ownClusterId, ...by }: ForeignMember & { readonly ownClusterId: string } = JSON.parse(
    readFileSync(file, 'utf8'),
  );
  throw explained(dataDir, ownClusterId, by);
}

function explained(dataDir: string, own: string, { nodeId, clusterId }: ForeignMember): SupersededError {
  return new SupersededError(
    `this node founded cluster ${own} (--bootstrap), and node ${nodeId} of cluster ${clusterId} has a member at its address: the data folder of that member was lost. ` +
      `Take the member out ("gomsg cluster leave" through a node of ${clusterId}), empty ${dataDir}, and start with --join in place of --bootstrap and with a new --node-id. ` +
      `To run the new cluster nevertheless, take the member out and remove ${join(dataDir, FILE)}`,
  );
}
