/** How a node comes to belong to a cluster: it founds one, joins one, or was a member before. */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../observe/logger.ts';
import { LEVEL } from '../state/level.ts';
import type { TlsOptions } from '../transport/port.ts';
import {
  type Identity,
  IdentityError,
  newIdentity,
  readIdentity,
  saveIdentity,
  writeDurably,
} from './identity.ts';
import type { JoinedMember } from './links/join.ts';
import { joinCluster } from './links/join-cluster.ts';

/** Data groups of a cluster, unless the settings say otherwise: enough to spread leaders over a dozen nodes. */
export const CLUSTER_GROUPS_DEFAULT = 16;

export interface AdmissionOptions {
  readonly dataDir: string;
  readonly nodeId: string | undefined;
  /** Data groups of a cluster that is founded. */
  readonly groups: number | undefined;
  readonly bootstrap: boolean;
  /** Members to ask. */
  readonly join: readonly string[];
  /** `host:port` at which the others and clients reach this node. */
  readonly address: string;
  readonly hostLabel: string | undefined;
  readonly version: string;
  readonly secret: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly now_ms: number;
  /** Waits to be told whom to join, where the settings name nobody. Resolves with an address. */
  readonly waitForInvitation: (nodeId: string) => Promise<string>;
}

export interface Admitted {
  readonly identity: Identity;
  /** Members that the cluster named at the admission; empty for one that was a member before. */
  readonly seeds: readonly JoinedMember[];
}

/**
 * The identity of this node in its cluster, after it was admitted where it was not a member yet. A node that is one
 * ignores `bootstrap` and `join`.
 *
 * @throws IdentityError, JoinError
 */
export async function admission(options: AdmissionOptions): Promise<Admitted> {
  const { dataDir, nodeId, bootstrap, groups, now_ms, logger } = options;
  const stored = readIdentity(dataDir, nodeId);
  if (stored?.clustered) return { identity: stored, seeds: [] };
  if (bootstrap) {
    const lone = stored ?? newIdentity({ nodeId, groups: groups ?? CLUSTER_GROUPS_DEFAULT }, now_ms);
    const identity = { ...lone, clustered: true };
    saveIdentity(dataDir, identity);
    logger.info({ cluster: identity.clusterId, groups: identity.groups }, 'this node founds a cluster');
    return { identity, seeds: [] };
  }
  if (stored !== undefined) {
    throw new IdentityError(
      `${dataDir} holds the data of node ${stored.nodeId}, which ran on its own: start it with --bootstrap to found a cluster with this data, or join one with an empty folder`,
    );
  }
  return joined(options, newIdentity({ nodeId, groups: 0 }, now_ms));
}

async function joined(options: AdmissionOptions, candidate: Identity): Promise<Admitted> {
  const { dataDir, address, hostLabel, version, secret, tls, logger, signal } = options;
  const { nodeId, token } = candidacy(dataDir, candidate.nodeId);
  const addresses = options.join.length > 0 ? options.join : [await options.waitForInvitation(nodeId)];
  const { clusterId, nodeNumber, groups, members } = await joinCluster({
    addresses,
    secret,
    tls,
    request: { nodeId, address, hostLabel, version, level: LEVEL, token },
    signal,
    onRetry: (problems, wait_ms) => logger.warn({ problems, wait_ms }, 'no member can admit this node yet'),
  });
  const identity: Identity = { ...candidate, nodeId, nodeNumber, clusterId, clustered: true, groups };
  saveIdentity(dataDir, identity);
  rmSync(join(dataDir, CANDIDACY_FILE), { force: true });
  logger.info({ cluster: clusterId, number: nodeNumber }, 'this node joined a cluster');
  return { identity, seeds: members };
}

const CANDIDACY_FILE = 'joining.json';

interface Candidacy {
  readonly nodeId: string;
  readonly token: string;
}

/**
 * Written before the first try and kept until the identity is: a node that dies in between asks again under the same
 * token, and is known to be the one that was admitted.
 */
function candidacy(dataDir: string, nodeId: string): Candidacy {
  const file = join(dataDir, CANDIDACY_FILE);
  if (existsSync(file)) {
    const stored: Candidacy = JSON.parse(readFileSync(file, 'utf8'));
    return stored;
  }
  const made = { nodeId, token: randomUUID() };
  writeDurably(dataDir, file, `${JSON.stringify(made)}\n`);
  return made;
}
