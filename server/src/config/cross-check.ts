/** What must hold between settings, beyond each one's own range. */
import { isLoopback } from './loopback.ts';
import type { ConfigProblem } from './problems.ts';
import { type Config, NAMED_SETTINGS } from './schema.ts';

/** Room for the envelope around the largest value or message in one frame: key, headers, field tags. */
const FRAME_OVERHEAD_BYTES = 64 * 1024;

interface Rule {
  /** The setting to look at first. */
  readonly field: keyof Config;
  readonly broken: (config: Config) => boolean;
  readonly reason: string;
}

const RULES: readonly Rule[] = [
  {
    field: 'tlsCert',
    broken: (config) => config.tlsCert !== undefined && config.tlsKey === undefined,
    reason: 'a certificate needs its private key: set --tls-key',
  },
  {
    field: 'tlsKey',
    broken: (config) => config.tlsKey !== undefined && config.tlsCert === undefined,
    reason: 'a private key needs its certificate: set --tls-cert',
  },
  {
    field: 'tlsCa',
    broken: (config) => config.tlsCa !== undefined && config.tlsCert === undefined,
    reason: 'checking client certificates needs TLS: set --tls-cert and --tls-key',
  },
  {
    field: 'join',
    broken: (config) => config.join.length > 0 && !config.cluster,
    reason: 'only a member of a cluster joins: add --cluster',
  },
  {
    field: 'bootstrap',
    broken: (config) => config.bootstrap && !config.cluster,
    reason: 'only a member of a cluster bootstraps: add --cluster',
  },
  {
    field: 'storage',
    broken: (config) => config.cluster && config.storage === 'memory',
    reason:
      'a member of a cluster keeps its votes and its part of the log on disk: without them two nodes could both lead',
  },
  {
    field: 'clusterSecret',
    broken: (config) => config.clusterSecret !== undefined && !config.cluster,
    reason: 'only the nodes of a cluster share a secret: add --cluster',
  },
  {
    field: 'maxFrameBytes',
    broken: (config) =>
      config.maxFrameBytes < Math.max(config.maxValueBytes, config.maxMessageBytes) + FRAME_OVERHEAD_BYTES,
    reason:
      'must exceed --max-value-bytes and --max-message-bytes by 64KiB, or the largest of them could not travel',
  },
  {
    field: 'maxInFlightBytesPerClient',
    broken: (config) => config.maxInFlightBytesPerClient < config.maxFrameBytes,
    reason: 'must be at least --max-frame-bytes, or the largest request would never be accepted',
  },
  {
    field: 'maxInFlightBytes',
    broken: (config) => config.maxInFlightBytes < config.maxInFlightBytesPerClient,
    reason: 'must be at least --max-in-flight-bytes-per-client',
  },
  {
    field: 'walSegmentBytes',
    broken: (config) => config.walSegmentBytes < config.maxFrameBytes + FRAME_OVERHEAD_BYTES,
    reason: 'must exceed --max-frame-bytes by 64KiB: a log record never spans two segments',
  },
  {
    field: 'lmdbMapBytes',
    broken: (config) => config.lmdbMapBytes < 2 * config.overlayBytes,
    reason: 'must be at least twice --overlay-bytes',
  },
  {
    field: 'keepaliveTimeoutMs',
    broken: (config) => config.keepaliveTimeoutMs > config.keepaliveIntervalMs,
    reason: 'must not exceed --keepalive-interval',
  },
];

/** @param origins where a setting's value came from, by field; absent for a default. */
export function crossCheck(config: Config, origins: ReadonlyMap<string, string>): ConfigProblem[] {
  return RULES.filter((rule) => rule.broken(config)).map(({ field, reason }) => ({
    origin: origins.get(field) ?? defaultOrigin(field, config),
    reason,
  }));
}

function defaultOrigin(field: keyof Config, config: Config): string {
  const { flag, setting } = NAMED_SETTINGS.find((named) => named.field === field)!;
  return `setting --${flag}=${setting.kind.format(config[field])}`;
}

/** Choices that are allowed but that the operator should hear about once, at start. */
export function configWarnings(config: Config): string[] {
  const warnings: string[] = [];
  if (!isLoopback(config.host) && config.tlsCa === undefined) {
    warnings.push(
      `listening on ${config.host} without client certificates (--tls-ca): whoever reaches the port can read and write everything`,
    );
  }
  if (config.storage === 'memory') {
    warnings.push('--storage=memory: nothing is written to disk, all data ends with the process');
  } else if (config.fsync === 'interval') {
    warnings.push(
      `--fsync=interval: a crash of the machine can lose writes answered in its last ${config.fsyncIntervalMs} ms`,
    );
  }
  return warnings;
}
