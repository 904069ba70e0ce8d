/**
 * The codec of `gomsg.internal.v1.LogEntry`: the data of a normal Raft entry.
 *
 * Written by hand because every write passes through it: the encoder measures, allocates once and copies each payload
 * once; the wire format is that of the proto, and a test holds the two against each other.
 */
import { LEVEL, LevelTooNewError } from './level.ts';
import type { Command } from './machine.ts';
import { ByteReader, varintSize, writeVarint } from './wire.ts';

/** The place of a command in a session; the same object may serve every command of a run. */
export interface SessionPosition {
  readonly sessionId: bigint;
  readonly sequence: number;
  /** Results of the session below this sequence may be forgotten. */
  readonly answeredBelow: number;
  /** Sent before: must not open the session anew. */
  readonly retry: boolean;
}

export interface EntryCommand extends Command {
  /** Undefined: not deduplicated. */
  readonly session: SessionPosition | undefined;
}

export interface LogEntry {
  readonly stamp_ms: number;
  readonly commands: readonly EntryCommand[];
}

// Field tags, as in gomsg/internal/v1/log.proto.
const ENTRY_LEVEL_TAG = 0x08;
const ENTRY_STAMP_TAG = 0x10;
const ENTRY_RUN_TAG = 0x1a;
const RUN_SESSION_TAG = 0x09;
const RUN_ANSWERED_TAG = 0x10;
const RUN_COMMAND_TAG = 0x1a;
const COMMAND_METHOD_TAG = 0x08;
const COMMAND_PAYLOAD_TAG = 0x12;
const COMMAND_SEQUENCE_TAG = 0x18;
const COMMAND_RETRY_TAG = 0x20;

/** Upper bound of what one command adds to an entry beside its payload. */
export const COMMAND_OVERHEAD_BYTES = 48;

/** Commands `from` to `to` (exclusive) as one entry of a level. Neighbours of one session share a run. */
export function encodeLogEntry(
  stamp_ms: number,
  commands: readonly EntryCommand[],
  from = 0,
  to = commands.length,
  level = LEVEL,
): Uint8Array {
  const runSizes: number[] = [];
  let total = 1 + varintSize(level) + 1 + varintSize(stamp_ms);
  for (let i = from; i < to; ) {
    const end = runEnd(commands, i, to);
    let size = runHeaderSize(commands[i]!.session);
    for (; i < end; i++) {
      const body = commandSize(commands[i]!);
      size += 1 + varintSize(body) + body;
    }
    runSizes.push(size);
    total += 1 + varintSize(size) + size;
  }
  const target = Buffer.allocUnsafeSlow(total);
  let at = 0;
  target[at++] = ENTRY_LEVEL_TAG;
  at = writeVarint(target, at, level);
  target[at++] = ENTRY_STAMP_TAG;
  at = writeVarint(target, at, stamp_ms);
  let run = 0;
  for (let i = from; i < to; ) {
    const end = runEnd(commands, i, to);
    target[at++] = ENTRY_RUN_TAG;
    at = writeVarint(target, at, runSizes[run++]!);
    at = writeRunHeader(target, at, commands[i]!.session);
    for (; i < end; i++) at = writeCommand(target, at, commands[i]!);
  }
  return target;
}

/**
 * Refuses an entry that this program could not apply, before it is stored: a replica that acknowledged it would count
 * for the majority that commits it. @throws LevelTooNewError
 */
export function checkEntryLevel(data: Uint8Array): void {
  if (data.length === 0 || data[0] !== ENTRY_LEVEL_TAG) return; // damage, which apply tells apart
  const level = new ByteReader(data, 1).varint();
  if (level > LEVEL) throw new LevelTooNewError('an entry of the log', level);
}

/** Reads an entry. Payloads are views into `data`. @throws LevelTooNewError, RangeError on damage */
export function decodeLogEntry(data: Uint8Array): LogEntry {
  const reader = new ByteReader(data);
  const commands: EntryCommand[] = [];
  let stamp_ms = 0;
  while (!reader.done) {
    const tag = reader.u8();
    if (tag === ENTRY_LEVEL_TAG) {
      const level = reader.varint();
      if (level > LEVEL) throw new LevelTooNewError('an entry of the log', level);
    } else if (tag === ENTRY_STAMP_TAG) stamp_ms = reader.varint();
    else if (tag === ENTRY_RUN_TAG) readRun(reader, reader.varint(), commands);
    else throw new RangeError(`a log entry has an unknown field (tag ${tag})`);
  }
  return { stamp_ms, commands };
}

function runEnd(commands: readonly EntryCommand[], from: number, to: number): number {
  const first = commands[from]!.session;
  let end = from + 1;
  while (end < to && sameRun(first, commands[end]!.session)) end++;
  return end;
}

function sameRun(a: SessionPosition | undefined, b: SessionPosition | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.sessionId === b.sessionId && a.answeredBelow === b.answeredBelow;
}

function runHeaderSize(session: SessionPosition | undefined): number {
  return session === undefined ? 0 : 1 + 8 + 1 + varintSize(session.answeredBelow);
}

function writeRunHeader(target: Buffer, start: number, session: SessionPosition | undefined): number {
  if (session === undefined) return start;
  target[start] = RUN_SESSION_TAG;
  const at = target.writeBigUInt64LE(session.sessionId, start + 1);
  target[at] = RUN_ANSWERED_TAG;
  return writeVarint(target, at + 1, session.answeredBelow);
}

function commandSize(command: EntryCommand): number {
  const { length } = command.payload;
  let size = 1 + varintSize(command.method) + 1 + varintSize(length) + length;
  if (command.session !== undefined) {
    size += 1 + varintSize(command.session.sequence);
    if (command.session.retry) size += 2;
  }
  return size;
}

function writeCommand(target: Buffer, start: number, command: EntryCommand): number {
  const { payload, session } = command;
  let at = start;
  target[at++] = RUN_COMMAND_TAG;
  at = writeVarint(target, at, commandSize(command));
  target[at++] = COMMAND_METHOD_TAG;
  at = writeVarint(target, at, command.method);
  target[at++] = COMMAND_PAYLOAD_TAG;
  at = writeVarint(target, at, payload.length);
  target.set(payload, at);
  at += payload.length;
  if (session !== undefined) {
    target[at++] = COMMAND_SEQUENCE_TAG;
    at = writeVarint(target, at, session.sequence);
    if (session.retry) {
      target[at++] = COMMAND_RETRY_TAG;
      target[at++] = 1;
    }
  }
  return at;
}

function readRun(reader: ByteReader, length: number, commands: EntryCommand[]): void {
  const end = reader.at + length;
  let sessionId = 0n;
  let answeredBelow = 0;
  while (reader.at < end) {
    const tag = reader.u8();
    if (tag === RUN_SESSION_TAG) {
      const bytes = reader.bytes(8);
      sessionId = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
    } else if (tag === RUN_ANSWERED_TAG) answeredBelow = reader.varint();
    else if (tag === RUN_COMMAND_TAG) {
      commands.push(readCommand(reader, reader.varint(), sessionId, answeredBelow));
    } else throw new RangeError(`a run of commands has an unknown field (tag ${tag})`);
  }
}

function readCommand(
  reader: ByteReader,
  length: number,
  sessionId: bigint,
  answeredBelow: number,
): EntryCommand {
  const end = reader.at + length;
  let method = 0;
  let payload: Uint8Array = NO_BYTES;
  let sequence = 0;
  let retry = false;
  while (reader.at < end) {
    const tag = reader.u8();
    if (tag === COMMAND_METHOD_TAG) method = reader.varint();
    else if (tag === COMMAND_PAYLOAD_TAG) payload = reader.bytes(reader.varint());
    else if (tag === COMMAND_SEQUENCE_TAG) sequence = reader.varint();
    else if (tag === COMMAND_RETRY_TAG) retry = reader.varint() === 1;
    else throw new RangeError(`a command has an unknown field (tag ${tag})`);
  }
  const session = sequence === 0 ? undefined : { sessionId, sequence, answeredBelow, retry };
  return { method, payload, request: undefined, session };
}

const NO_BYTES = new Uint8Array(0);
