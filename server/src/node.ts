/** A node: every part made once, handed what it needs, and taken down in the opposite order. */
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Identity, loadIdentity, newIdentity } from './cluster/identity.ts';
import { loneRole } from './cluster/lone-role.ts';
import type { RoleParts } from './cluster/role.ts';
import type { Config } from './config/schema.ts';
import type { GroupHost } from './groups/host.ts';
import { MemoryLog } from './groups/memory-log.ts';
import type { NodeLog } from './groups/node-log.ts';
import { Health } from './observe/health.ts';
import type { Logger } from './observe/logger.ts';
import { NodeMetrics } from './observe/node-metrics.ts';
import { clusterMethods } from './services/cluster-service.ts';
import { GomsgError } from './services/errors.ts';
import { kvMethods } from './services/kv-service.ts';
import type { Method } from './services/method.ts';
import { queueMethods } from './services/queue-service.ts';
import { sessionMethods } from './services/session-service.ts';
import { streamServer } from './services/stream-service.ts';
import { type LmdbStoreOptions, openLmdbStore } from './storage/lmdb-store.ts';
import { openMemoryStore } from './storage/memory-store.ts';
import type { Store, StoreEvents } from './storage/store.ts';
import { DRAINING, type ReportBug } from './transport/failures.ts';
import { healthMethods, probePages } from './transport/health.ts';
import { InFlight, inFlightLimit } from './transport/interceptors/in-flight.ts';
import { intercept } from './transport/interceptors/intercept.ts';
import { logging } from './transport/interceptors/logging.ts';
import { metering } from './transport/interceptors/metering.ts';
import { countSubscriptions } from './transport/interceptors/subscriptions.ts';
import { pipelineMethod } from './transport/pipeline/pipeline.ts';
import { openPort, type Port, type PortLimits, type TlsOptions } from './transport/port.ts';
import { reflectionMethods } from './transport/reflection.ts';
import { VERSION } from './version.ts';
import type { LogFiles } from './wal/log-files.ts';
import { Wal } from './wal/wal.ts';

export interface NodeOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics?: NodeMetrics;
  /**
   * A write or sync failed, state that cannot be was met, or the node founded a cluster that must not be. The process must
   * end: nothing more will be answered.
   */
  readonly onFatal: (error: Error) => void;
  /** The node was taken out of its cluster, and has nothing left to do. */
  readonly onLeft?: () => void;
  /** The file system of the log, for tests that break it. */
  readonly logFiles?: LogFiles;
  /** Parts of the store, for tests that break them. */
  readonly storeParts?: Pick<LmdbStoreOptions, 'writer' | 'freeDiskBytes'>;
}

export interface RunningNode {
  readonly identity: Identity;
  readonly host: string;
  readonly port: number;
  /** Finishes what was taken, writes everything out, closes. Calling it again only waits. */
  stop(): Promise<void>;
}

/** Entries that the log keeps in memory: followers are fed from there, and a node that runs alone has none. */
const LONE_LOG_CACHE_BYTES = 1024 * 1024;
const MEMBER_LOG_CACHE_BYTES = 16 * 1024 * 1024;

/** Data groups of a node on its own, unless the settings say otherwise: more would only mean more entries. */
const LONE_GROUPS = 1;

/** The one call that was answered ends by itself. */
const INVITATION_DRAIN_MS = 1_000;

/** How often the figures behind the health checks are looked at. */
const HEALTH_INTERVAL_MS = 1_000;

/** Starts a node and resolves once it answers. Leaves nothing behind when it fails. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { config, logger } = options;
  const metrics = options.metrics ?? new NodeMetrics();
  const health = new Health();
  const draining = new AbortController();
  const startedAt_ms = Date.now();
  const undo: (() => unknown)[] = [];
  let hosting: GroupHost | undefined;
  const reportBug = (error: unknown, where: string): void =>
    logger.error({ err: error, where }, 'a bug was met');
  let failed = false;
  const onFatal = (error: Error): void => {
    if (failed) return;
    failed = true;
    health.failed(error.message);
    // Whatever failed, no group may go on: neither answer nor write.
    hosting?.fail(error);
    options.onFatal(error);
  };

  try {
    const store = await openStore(config, options.storeParts, {
      onFatal,
      onUnblocked: () => hosting?.resume(),
      onSpaceChange: (lack) =>
        lack === undefined
          ? logger.info('there is room for the store again: writes go on')
          : logger.error({ lack }, 'too little room for the store: writes are refused until there is more'),
    });
    undo.push(() => store.close());
    const tls = tlsOf(config);
    // Members are told where a node is before its port is open, so its port is settled on now.
    const portNumber = config.cluster && config.port === 0 ? await freePort(config.host) : config.port;
    let address = config.advertise ?? `${reachable(config.host)}:${portNumber}`;
    // Only a member loads what makes one.
    const cluster = config.cluster ? await import('./cluster/joining.ts') : undefined;
    const admitted = await cluster?.admission({
      ...config,
      address,
      version: VERSION,
      secret: config.clusterSecret,
      tls,
      logger,
      signal: draining.signal,
      now_ms: Date.now(),
      waitForInvitation: (nodeId) =>
        invitation(
          (invited) => cluster.waitingMethods(nodeId, invited),
          (methods) => openNodePort(config, portNumber, tls, logger, reportBug, metrics, health, methods),
        ),
    });
    const lone = admitted === undefined ? identityOf(config) : undefined;
    const log = await openLog(config, logger, onFatal, options.logFiles);
    undo.push(() => log.close());

    const parts: RoleParts = {
      config,
      address: () => address,
      tls,
      health,
      metrics,
      logger,
      reportBug,
      startedAt_ms,
      groups: {
        log,
        store,
        metrics,
        clock: Date.now,
        monotonic: () => performance.now(),
        random: Math.random,
        sessionIdleTimeout_ms: config.sessionIdleTimeoutMs,
        onFatal,
        reportBug,
      },
    };
    const role =
      lone !== undefined
        ? loneRole(lone, parts)
        : await cluster!.memberRole(admitted!, parts, () => options.onLeft?.());
    const { identity, host, router, view } = role;
    hosting = host;
    if (config.groups !== undefined && config.groups !== identity.groups) {
      const { groups } = identity;
      logger.warn(
        { asked: config.groups, groups },
        `--groups=${config.groups} changes nothing: ${identity.clustered ? 'the cluster' : 'the data folder'} was founded with ${groups}`,
      );
    }
    undo.push(() => host.stop());
    await host.start();

    const streams = streamServer({
      router,
      limits: config,
      topicDefaults: {
        partitions: config.streamPartitions,
        retentionAge_ms: config.streamRetentionAgeMs,
        retentionBytes: config.streamRetentionBytes,
        retentionMessages: config.streamRetentionCount,
      },
      nodes: view,
    });
    undo.push(() => streams.close());
    undo.push(role.onNodeDown(() => streams.removeAbandonedMembers()));

    const services = [
      ...kvMethods({ router, limits: config }),
      ...queueMethods({ router, limits: config, draining: draining.signal, reportBug }),
      ...streams.methods,
      ...clusterMethods(view),
      ...sessionMethods({ router, sessionIdleTimeout_ms: config.sessionIdleTimeoutMs }),
    ];
    const port = await openNodePort(
      config,
      portNumber,
      tls,
      logger,
      reportBug,
      metrics,
      health,
      role.serve(services),
      role.peerMethods,
    );
    address = config.advertise ?? `${reachable(port.host)}:${port.port}`;
    undo.push(() => {
      // What was passed on to other nodes is in hand too, and the way to them stays for its answers.
      const answered = role.settled().then(() => role.close());
      return Promise.all([answered, port.drain(config.drainTimeoutMs)]);
    });
    role.serving();

    const look = (): void => {
      checkDisk(health, log, store);
      if (!identity.clustered) checkAlone(health, host);
    };
    const looking = setInterval(look, HEALTH_INTERVAL_MS);
    looking.unref();
    undo.push(() => clearInterval(looking));
    look();
    health.serving();
    let stopped: Promise<void> | undefined;
    return {
      identity,
      host: port.host,
      port: port.port,
      stop: () => {
        if (stopped === undefined) {
          health.draining('the node is shutting down');
          stopped = role.resign().then(() => {
            draining.abort(new GomsgError(DRAINING));
            return takeDown(undo);
          });
        }
        return stopped;
      },
    };
  } catch (error) {
    await takeDown(undo).catch((afterwards: unknown) => {
      logger.error({ err: afterwards }, 'what had been started could not be closed');
    });
    throw error;
  }
}

/** Takes every step, also behind one that fails. @throws what the first failing step threw */
async function takeDown(undo: (() => unknown)[]): Promise<void> {
  let failed: { readonly error: unknown } | undefined;
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    try {
      await step();
    } catch (error) {
      failed ??= { error };
    }
  }
  if (failed !== undefined) throw failed.error;
}

function identityOf(config: Config): Identity {
  const wanted = { nodeId: config.nodeId, groups: config.groups ?? LONE_GROUPS };
  return config.storage === 'memory'
    ? newIdentity(wanted, Date.now())
    : loadIdentity(config.dataDir, wanted, Date.now());
}

async function openStore(
  config: Config,
  parts: NodeOptions['storeParts'],
  events: StoreEvents,
): Promise<Store> {
  if (config.storage === 'memory') return openMemoryStore(events);
  return openLmdbStore(config.dataDir, {
    ...events,
    ...parts,
    mapSizeBytes: config.lmdbMapBytes,
    checkpointBytes: config.overlayBytes,
    maxOverlayBytes: 2 * config.overlayBytes,
  });
}

async function openLog(
  config: Config,
  logger: Logger,
  onFatal: (error: Error) => void,
  files: LogFiles | undefined,
): Promise<NodeLog> {
  if (config.storage === 'memory') return new MemoryLog();
  return Wal.open(join(config.dataDir, 'wal'), {
    segmentBytes: config.walSegmentBytes,
    tailSegments: config.walTailSegments,
    cacheBytes: config.cluster ? MEMBER_LOG_CACHE_BYTES : LONE_LOG_CACHE_BYTES,
    fsyncIntervalMs: config.fsync === 'interval' ? config.fsyncIntervalMs : 0,
    onTornTail: (tail) => logger.warn({ ...tail }, 'the log ended in an incomplete batch, which was cut'),
    onWritableChange: (writable) =>
      writable
        ? logger.info('the log has room again: writes go on')
        : logger.error('the disk is full: writes are refused until there is room, reads go on'),
    onFailure: onFatal,
    ...(files && { files }),
  });
}

async function openNodePort(
  config: Config,
  port: number,
  tls: TlsOptions | undefined,
  logger: Logger,
  reportBug: ReportBug,
  metrics: NodeMetrics,
  health: Health,
  services: readonly Method[],
  /** What the other nodes call: of long streams that carry calls of many, so nothing of them is counted by the call. */
  peerMethods: readonly Method[] = [],
): Promise<Port> {
  const inFlight = new InFlight(
    { maxBytesPerClient: config.maxInFlightBytesPerClient, maxBytes: config.maxInFlightBytes },
    metrics.transport,
  );
  const pipeline = pipelineMethod(services, {
    inFlight,
    metrics: metrics.rpc,
    batchCalls: metrics.transport.pipelineBatchCalls,
    maxFrameBytes: config.maxFrameBytes,
    maxUnreadBytes: config.maxInFlightBytesPerClient,
    reportBug,
  });
  const names = new Set(services.map((method) => method.desc.parent.typeName));
  const own = [...services, pipeline, ...healthMethods(health, names)];
  const limits: Partial<PortLimits> = {
    maxFrameBytes: config.maxFrameBytes,
    maxConnections: config.maxConnections,
    maxStreamsPerConnection: config.maxStreamsPerConnection,
    handshakeTimeout_ms: config.handshakeTimeoutMs,
    keepaliveInterval_ms: config.keepaliveIntervalMs,
    keepaliveTimeout_ms: config.keepaliveTimeoutMs,
    idleTimeout_ms: config.idleTimeoutMs,
  };
  return openPort({
    host: config.host,
    port,
    methods: [
      ...intercept(
        [...own, ...reflectionMethods(own)],
        [
          metering(metrics.rpc),
          logging(logger),
          inFlightLimit(inFlight),
          countSubscriptions(metrics.transport.subscriptions),
        ],
      ),
      ...peerMethods,
    ],
    pages: probePages(health, metrics.exposition),
    limits,
    meters: metrics.transport,
    reportBug,
    ...(tls && { tls }),
  });
}

function tlsOf({ tlsCert, tlsKey, tlsCa }: Config): TlsOptions | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    cert: readFileSync(tlsCert),
    key: readFileSync(tlsKey),
    ...(tlsCa !== undefined && { ca: readFileSync(tlsCa) }),
  };
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Serves nothing but the invitation that a node without a cluster waits for. Resolves with the address of a member. */
async function invitation(
  waitingMethods: (invited: (member: string) => void) => readonly Method[],
  open: (methods: readonly Method[]) => Promise<Port>,
): Promise<string> {
  const invited = Promise.withResolvers<string>();
  const port = await open(waitingMethods(invited.resolve));
  const member = await invited.promise;
  await port.drain(INVITATION_DRAIN_MS);
  return member;
}

/** A node that listens on every address goes by the name of its machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return hostname();
  return host.includes(':') ? `[${host}]` : host;
}

function checkDisk(health: Health, log: NodeLog, store: Store): void {
  health.check('log', log.writable, log.writable ? 'takes writes' : 'the disk is full');
  const lack = store.outOfSpace;
  health.check(
    'storage',
    lack === undefined,
    lack === undefined
      ? 'takes writes'
      : `${lack.where}: ${lack.freeBytes} bytes free, ${lack.neededBytes} needed`,
  );
}

function checkAlone(health: Health, host: GroupHost): void {
  const led = host.groups.filter((group) => group.isLeader).length;
  health.check('consensus', led === host.groups.length, `leads ${led} of ${host.groups.length} groups`);
}
