/** What a failover program tells, line by line. */
import { ClientProgramError } from '../sdks/programs.ts';

/**
 * `incr`, `push` and `publish` are answered writes, `settle` an answered ack of a queue's message, `deliver` a message of a
 * topic that came, `commit` an answered ack of one.
 */
export const KINDS = ['incr', 'push', 'settle', 'publish', 'deliver', 'commit'] as const;
export type Kind = (typeof KINDS)[number];

export interface Event {
  readonly kind: Kind;
  readonly lane: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly ok: boolean;
  /** What was pushed or published, counted from 1 in its lane. */
  readonly id?: number;
  /** The sum that an increment gave. */
  readonly value?: number;
  /** Id of a queue's message. */
  readonly message?: string;
  /** Of a topic's message. */
  readonly offset?: number;
  /** Of a failure: its name in the catalogue of errors. */
  readonly reason?: string;
  readonly text?: string;
}

/** @throws ClientProgramError */
export function parseEvent(line: string): Event {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    throw new ClientProgramError(`not an event: ${line}`);
  }
  if (!isEvent(event)) throw new ClientProgramError(`not an event: ${line}`);
  return event;
}

function isEvent(value: unknown): value is Event {
  const event = value as Partial<Event> | null;
  return (
    typeof event === 'object' &&
    event !== null &&
    KINDS.some((kind) => kind === event.kind) &&
    typeof event.lane === 'number' &&
    typeof event.at === 'number' &&
    typeof event.ok === 'boolean'
  );
}

/** Kinds that a lane has: only even ones read as a group, which commits. */
export function kindsOf(lane: number): readonly Kind[] {
  return lane % 2 === 0 ? KINDS : KINDS.filter((kind) => kind !== 'commit');
}
