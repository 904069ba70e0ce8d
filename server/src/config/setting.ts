/** What a setting is, and the names it goes by in each source. */
import type { Kind } from './kinds.ts';

/** Sections of the YAML file and of `--help`, in the order they are shown. */
export const SECTIONS = {
  server: 'Server: the port and its connections',
  tls: 'TLS',
  cluster: 'Cluster',
  storage: 'Storage',
  log: 'Logs',
  limits: 'Limits: past each of them a call is refused with a typed error, and nothing else suffers',
  kv: 'Key/value',
  queue: 'Queues: defaults, copied into a queue when it first appears',
  stream: 'Streams: defaults, copied into a topic when it first appears',
} as const;

export type Section = keyof typeof SECTIONS;

export interface Setting<T, D extends T | undefined = T | undefined> {
  readonly section: Section;
  readonly kind: Kind<T>;
  /** Undefined when the setting may stay unset; `description` then says what happens. */
  readonly default: D;
  /** One or two sentences: what it does, and what the choice costs. */
  readonly description: string;
  /** The key inside the section, when it is not the flag's name without the section's. */
  readonly yamlKey?: string;
  /** Shown in the documentation of a setting that has no default. */
  readonly example?: string;
  /** The value is never printed: not in errors, not in logs. */
  readonly secret?: true;
}

/** Ties the default to the kind while keeping both types narrow. */
export function setting<T, const D extends T | undefined>(definition: Setting<T, D>): Setting<T, D> {
  return definition;
}

/** A setting with the names it goes by. */
export interface NamedSetting {
  /** The field of `Config`; durations end in `Ms`, sizes in `Bytes`. */
  readonly field: string;
  /** Without the dashes: `max-value-bytes`. */
  readonly flag: string;
  /** `GOMSG_MAX_VALUE_BYTES`. */
  readonly variable: string;
  /** `limits.max-value-bytes`. */
  readonly yamlPath: string;
  readonly setting: Setting<unknown>;
}

/** A duration's flag drops the unit its field carries: the text brings its own (`drainTimeoutMs`, `--drain-timeout=10s`). */
export function nameSetting(field: string, definition: Setting<unknown>): NamedSetting {
  const stem = definition.kind.measure === 'ms' ? field.replace(/Ms$/, '') : field;
  const flag = stem.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const prefix = `${definition.section}-`;
  const key = definition.yamlKey ?? (flag.startsWith(prefix) ? flag.slice(prefix.length) : flag);
  return {
    field,
    flag,
    variable: `GOMSG_${flag.replaceAll('-', '_').toUpperCase()}`,
    yamlPath: `${definition.section}.${key}`,
    setting: definition,
  };
}
