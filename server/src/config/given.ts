/** A setting as some source gave it, still text. */
import { isListKind, isRefused } from './kinds.ts';
import type { ConfigProblem } from './problems.ts';
import type { NamedSetting } from './setting.ts';

export interface Given {
  readonly named: NamedSetting;
  /** More than one only for a list whose source names items apart. */
  readonly texts: readonly string[];
  /** As in `ConfigProblem.origin`, with the value unless it is secret. */
  readonly origin: string;
}

/** What one source says: settings, and the problems met while reading it. */
export interface Source {
  readonly given: readonly Given[];
  readonly problems: readonly ConfigProblem[];
}

/** `name=value` for a message, without the value of a secret. */
export function shown(named: NamedSetting, label: string, value: string): string {
  return named.setting.secret ? label : `${label}=${value}`;
}

/** The typed value of what was given, or the problem with it. */
export function parseGiven({ named, texts, origin }: Given): { value: unknown } | { problem: ConfigProblem } {
  const { kind } = named.setting;
  const parsed = kind.parse(isListKind(kind) ? texts.join(',') : (texts.at(-1) ?? ''));
  if (!isRefused(parsed)) return { value: parsed };
  const form = kind.form === undefined ? '' : `, ${kind.form}`;
  const hint = parsed.hint === undefined ? '' : `; ${parsed.hint}`;
  return { problem: { origin, reason: `expected ${kind.expected}${form}${hint}` } };
}
