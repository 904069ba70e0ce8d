/** A node: every part made once, handed what it needs, and taken down in the opposite order. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Identity, loadIdentity, newIdentity } from './cluster/identity.ts';
import { LoneNode } from './cluster/lone-node.ts';
import { FIRST_DATA_GROUP, SlotRouter } from './cluster/slot-map.ts';
import type { Config } from './config/schema.ts';
import { GroupHost } from './groups/host.ts';
import { MemoryLog } from './groups/memory-log.ts';
import type { NodeLog } from './groups/node-log.ts';
import { Health } from './observe/health.ts';
import type { Logger } from './observe/logger.ts';
import { NodeMetrics } from './observe/node-metrics.ts';
import { clusterMethods } from './services/cluster-service.ts';
import { ErrorReason, GomsgError } from './services/errors.ts';
import { kvMethods } from './services/kv-service.ts';
import type { Method } from './services/method.ts';
import { queueMethods } from './services/queue-service.ts';
import { sessionMethods } from './services/session-service.ts';
import { streamServer } from './services/stream-service.ts';
import type { Failure } from './state/failure.ts';
import { type LmdbStoreOptions, openLmdbStore } from './storage/lmdb-store.ts';
import { openMemoryStore } from './storage/memory-store.ts';
import type { Store, StoreEvents } from './storage/store.ts';
import type { ReportBug } from './transport/failures.ts';
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
  /** A write or sync failed, or state that cannot be was met. The process must end: nothing more will be answered. */
  readonly onFatal: (error: Error) => void;
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

/** What calls get that wait for something which may not come while the node stops. */
const SHUTTING_DOWN: Failure = {
  reason: ErrorReason.DRAINING,
  message: 'the node is shutting down; use another node, or this one once it is back',
};

/** Entries that the log keeps in memory: followers read them there, and a node that runs alone has none. */
const LOG_CACHE_BYTES = 1024 * 1024;

/** Data groups of a node on its own, unless the settings say otherwise: more would only mean more entries. */
const LONE_GROUPS = 1;

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
    const identity = identityOf(config);
    const log = await openLog(config, logger, onFatal, options.logFiles);
    undo.push(() => log.close());

    let address = '';
    const host = new GroupHost({
      log,
      store,
      metrics,
      clock: Date.now,
      monotonic: () => performance.now(),
      random: Math.random,
      sessionIdleTimeout_ms: config.sessionIdleTimeoutMs,
      node: {
        nodeId: identity.nodeId,
        get address() {
          return address;
        },
      },
      onFatal,
      reportBug,
    });
    hosting = host;
    for (let group = 0; group < identity.groups; group++) host.add(FIRST_DATA_GROUP + group);
    undo.push(() => host.stop());
    await host.start();

    const router = new SlotRouter(host.groups);
    const lone = new LoneNode({
      identity,
      address: () => address,
      version: VERSION,
      hostLabel: config.hostLabel,
      host,
      router,
      health,
      metrics,
      dataDir: config.storage === 'memory' ? undefined : config.dataDir,
      startedAt_ms,
      clock: Date.now,
    });
    const streams = streamServer({
      router,
      limits: config,
      topicDefaults: {
        partitions: config.streamPartitions,
        retentionAge_ms: config.streamRetentionAgeMs,
        retentionBytes: config.streamRetentionBytes,
        retentionMessages: config.streamRetentionCount,
      },
      nodes: lone,
    });
    undo.push(() => streams.close());

    const port = await openNodePort(config, logger, reportBug, metrics, health, [
      ...kvMethods({ router, limits: config }),
      ...queueMethods({ router, limits: config, draining: draining.signal }),
      ...streams.methods,
      ...clusterMethods(lone),
      ...sessionMethods({ router, sessionIdleTimeout_ms: config.sessionIdleTimeoutMs }),
    ]);
    address = config.advertise ?? `${reachable(port.host)}:${port.port}`;
    undo.push(() => port.drain(config.drainTimeoutMs));

    const look = (): void => checkHealth(health, log, store, host);
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
          draining.abort(new GomsgError(SHUTTING_DOWN));
          stopped = takeDown(undo);
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
    cacheBytes: LOG_CACHE_BYTES,
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
  logger: Logger,
  reportBug: ReportBug,
  metrics: NodeMetrics,
  health: Health,
  services: readonly Method[],
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
  const tls = tlsOf(config);
  return openPort({
    host: config.host,
    port: config.port,
    methods: intercept(
      [...own, ...reflectionMethods(own)],
      [
        metering(metrics.rpc),
        logging(logger),
        inFlightLimit(inFlight),
        countSubscriptions(metrics.transport.subscriptions),
      ],
    ),
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

/** Every address is one that this machine can be reached at, as seen from itself. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function checkHealth(health: Health, log: NodeLog, store: Store, host: GroupHost): void {
  health.check('log', log.writable, log.writable ? 'takes writes' : 'the disk is full');
  const lack = store.outOfSpace;
  health.check(
    'storage',
    lack === undefined,
    lack === undefined
      ? 'takes writes'
      : `${lack.where}: ${lack.freeBytes} bytes free, ${lack.neededBytes} needed`,
  );
  const led = host.groups.filter((group) => group.isLeader).length;
  health.check('consensus', led === host.groups.length, `leads ${led} of ${host.groups.length} groups`);
}
