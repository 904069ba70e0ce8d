/** A member of a cluster: admitted before anything of it is opened. */
import { join } from 'node:path';
import { GroupHost } from '../groups/host.ts';
import { checkLoggedLevels } from '../groups/logged-levels.ts';
import { VERSION } from '../version.ts';
import { logFilesIn } from '../wal/log-files.ts';
import type { Admitted } from './admission.ts';
import { invite } from './invitation.ts';
import { Member } from './member.ts';
import type { Role, RoleParts } from './role.ts';
import { supersede } from './superseded.ts';

/** How long a node that stops waits for others to take over what it leads. */
const RESIGN_MS_MAX = 3_000;

/**
 * How long it waits for the answers to calls that it has passed on: longer than any write takes, and not for as long as a Pop
 * may wait for a message.
 */
const SETTLE_MS_MAX = 3_000;

const LOOK_MS = 20;

/** Opens the replicas of this node. @throws LevelTooNewError when it cannot apply what they hold or what comes */
export async function memberRole(
  { identity, seeds, isFresh }: Admitted,
  parts: RoleParts,
  onLeft: () => void,
): Promise<Role> {
  const { config, tls, health, metrics, logger, reportBug } = parts;
  const address = parts.address();
  const member = new Member({
    identity,
    seeds,
    address,
    hostLabel: config.hostLabel,
    version: VERSION,
    replication: config.replication,
    replaceAfter_ms: config.replaceAfterMs === 0 ? Number.POSITIVE_INFINITY : config.replaceAfterMs,
    secret: config.clusterSecret,
    tls,
    links: { maxFrameBytes: config.maxFrameBytes },
    maxFrameBytes: config.maxFrameBytes,
    dataDir: config.dataDir,
    health,
    metrics,
    logger,
    reportBug,
    clock: Date.now,
    monotonic: () => performance.now(),
    invite: (nodeId, waiting) => invite({ nodeId, waiting, member: address, tls }),
    onLeft,
    isFresh,
    supersede: (by) => supersede(config.dataDir, identity.clusterId, by),
    onSuperseded: parts.groups.onFatal,
  });
  const host = new GroupHost({
    ...parts.groups,
    node: { nodeId: identity.nodeId, address },
    cluster: {
      nodeNumber: identity.nodeNumber,
      peers: member.links,
      files: logFilesIn(join(config.dataDir, 'replicas')),
      isGiven: (group, replica) => member.isGiven(group, replica),
      level: () => member.level,
      snapshotBytesPerSecond: config.snapshotBytesPerSecond,
    },
  });
  await member.open(host);
  for (const { id, state } of host.groups) checkLoggedLevels(parts.groups.log, id, state.appliedIndex);
  return {
    identity,
    host,
    router: member.router,
    view: member.view,
    serve: (services) => member.serve(services),
    peerMethods: member.links.methods(),
    onNodeDown: (listener) => member.down.onDown(listener),
    serving: () => member.start(),
    resign: () =>
      untilTrue(RESIGN_MS_MAX, () => {
        if (!member.hasResigned) member.resign();
        return member.hasResigned;
      }),
    settled: () => untilTrue(SETTLE_MS_MAX, () => member.links.open.calls === 0),
    close: () => member.close(),
  };
}

/** Looks again and again, for so long at most. */
async function untilTrue(max_ms: number, isTrue: () => boolean): Promise<void> {
  const until_ms = performance.now() + max_ms;
  while (!isTrue() && performance.now() < until_ms) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
