/**
 * How a node comes to belong to a cluster: it founds one, joins one, or was a member before. Two clusters are never
 * merged, and where a node can find out that it would make a second one of the first, it does not
 * (docs/decisions/024-second-foundings.md).
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isLoopback } from '../config/loopback.ts';
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
import { askForCluster } from './links/ask-cluster.ts';
import type { JoinedMember } from './links/join.ts';
import { joinCluster } from './links/join-cluster.ts';
import { checkNotSuperseded } from './superseded.ts';

/** Data groups of a cluster, unless the settings say otherwise: enough to spread leaders over a dozen nodes. */
export const CLUSTER_GROUPS_DEFAULT = 16;

export interface AdmissionOptions {
  readonly dataDir: string;
  readonly nodeId: string | undefined;
  /** Data groups of a cluster that is founded. */
  readonly groups: number | undefined;
  readonly bootstrap: boolean;
  /** Members to ask; its own address among them is passed over. */
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
  /** It has just founded the cluster, on an empty folder. */
  readonly isFresh: boolean;
}

/** How long a founder waits for the members that it was told of to say that there is a cluster already. */
const FOUNDER_ASKS_MS = 2_000;
/** How long a member that starts again waits to hear that it was pointed at another cluster. */
const MEMBER_ASKS_MS = 500;

/**
 * The identity of this node in its cluster, after it was admitted where it was not a member yet. A node that is one
 * ignores `bootstrap`, and `join` unless it names another cluster.
 *
 * @throws IdentityError, JoinError, SupersededError, LinkRefusedError
 */
export async function admission(options: AdmissionOptions): Promise<Admitted> {
  const { dataDir, nodeId, bootstrap, groups, now_ms, logger } = options;
  const stored = readIdentity(dataDir, nodeId);
  checkNotSuperseded(dataDir);
  const others = otherAddresses(options);
  if (stored?.clustered) {
    await checkCluster(stored, others, options);
    return { identity: stored, seeds: [], isFresh: false };
  }
  if (bootstrap && stored === undefined && others.length > 0) {
    const [member] = await membersAt(others, nodeId ?? '', FOUNDER_ASKS_MS, options);
    if (member !== undefined) {
      logger.warn({ ...member }, 'there is a cluster already: this node asks to join it and founds none');
      return joined(options, others, newIdentity({ nodeId, groups: 0 }, now_ms));
    }
  }
  if (bootstrap) {
    const lone = stored ?? newIdentity({ nodeId, groups: groups ?? CLUSTER_GROUPS_DEFAULT }, now_ms);
    const identity = { ...lone, clustered: true };
    saveIdentity(dataDir, identity);
    logger.info({ cluster: identity.clusterId, groups: identity.groups }, 'this node founds a cluster');
    return { identity, seeds: [], isFresh: stored === undefined };
  }
  if (stored !== undefined) {
    throw new IdentityError(
      `${dataDir} holds the data of node ${stored.nodeId}, which ran on its own: start it with --bootstrap to found a cluster with this data, or join one with an empty folder`,
    );
  }
  if (options.join.length > 0 && others.length === 0) {
    throw new IdentityError(
      `--join=${options.join.join(',')} names this node itself: name another member, or found a cluster with --bootstrap`,
    );
  }
  return joined(options, others, newIdentity({ nodeId, groups: 0 }, now_ms));
}

async function joined(
  options: AdmissionOptions,
  others: readonly string[],
  candidate: Identity,
): Promise<Admitted> {
  const { dataDir, address, hostLabel, version, secret, tls, logger, signal } = options;
  const { nodeId, token } = candidacy(dataDir, options.nodeId, candidate.nodeId);
  if (others.length === 0) {
    logger.info(
      { node: nodeId, address },
      'this node belongs to no cluster and waits to be invited: tell any member with "gomsg cluster join"',
    );
  }
  const addresses = others.length > 0 ? others : [await options.waitForInvitation(nodeId)];
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
  return { identity, seeds: members, isFresh: false };
}

/** The addresses to join at, without this node's own. */
function otherAddresses({ join, address }: AdmissionOptions): string[] {
  const own = hostAndPort(address);
  return join.filter((other) => {
    const { host, port } = hostAndPort(other);
    const isSameHost = host === own.host || (isLoopback(host) && isLoopback(own.host));
    return !(isSameHost && port === own.port);
  });
}

function hostAndPort(address: string): { readonly host: string; readonly port: string } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).toLowerCase();
  return { host: host.replace(/^\[|\]$/g, ''), port: address.slice(colon + 1) };
}

interface MemberAt {
  readonly address: string;
  readonly nodeId: string;
  readonly clusterId: string;
}

/** Members that answer in time. @throws LinkRefusedError when one does that does not share the secret */
async function membersAt(
  addresses: readonly string[],
  nodeId: string,
  timeout_ms: number,
  { version, secret, tls }: AdmissionOptions,
): Promise<MemberAt[]> {
  const asking = { nodeId, version, secret, tls, timeout_ms };
  const answers = await Promise.all(
    addresses.map(async (address) => ({ address, member: await askForCluster(address, asking) })),
  );
  return answers.flatMap(({ address, member }) =>
    member === undefined ? [] : [{ address, nodeId: member.nodeId, clusterId: member.clusterId }],
  );
}

/** That the members which the settings name are of this node's cluster, as far as they can be asked. @throws IdentityError */
async function checkCluster(
  { nodeId, clusterId }: Identity,
  others: readonly string[],
  options: AdmissionOptions,
): Promise<void> {
  const members = await membersAt(others, nodeId, MEMBER_ASKS_MS, options).catch((error: unknown) => {
    options.logger.warn({ why: String(error) }, 'the members that --join names could not be asked');
    return [];
  });
  const [foreign] = members;
  if (foreign === undefined || members.some((member) => member.clusterId === clusterId)) return;
  throw new IdentityError(
    `${options.dataDir} belongs to node ${nodeId} of cluster ${clusterId}, and ${foreign.address} (--join) is node ${foreign.nodeId} of cluster ${foreign.clusterId}: ` +
      'two clusters are never merged. To give up what is in this folder and join, empty it; to go on with it, leave out --join',
  );
}

const CANDIDACY_FILE = 'joining.json';

interface Candidacy {
  readonly nodeId: string;
  readonly token: string;
}

/**
 * Written before the first try and kept until the identity is: a node that dies in between asks again under the same
 * token, and is known to be the one that was admitted. One that is started under another id asks anew: the id before may
 * have been refused for good.
 *
 * @param wanted the node id that the settings name; undefined = whatever the folder says, or `candidate`
 */
function candidacy(dataDir: string, wanted: string | undefined, candidate: string): Candidacy {
  const file = join(dataDir, CANDIDACY_FILE);
  if (existsSync(file)) {
    const stored: Candidacy = JSON.parse(readFileSync(file, 'utf8'));
    if (wanted === undefined || wanted === stored.nodeId) return stored;
  }
  const made = { nodeId: candidate, token: randomUUID() };
  writeDurably(dataDir, file, `${JSON.stringify(made)}\n`);
  return made;
}
