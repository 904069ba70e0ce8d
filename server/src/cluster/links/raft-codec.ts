/**
 * The codec of `gomsg.internal.v1.RaftMessage`: every message of the consensus but heartbeats, which `heartbeats.ts`
 * makes smaller, and snapshots, which have a stream of their own.
 *
 * Written by hand because every replicated write passes through it. An entry's bytes are copied once, into the frame,
 * and read as a view of it. Tests hold it against the proto.
 */
import type {
  AppendMessage,
  Entry,
  HeartbeatMessage,
  HeartbeatResponseMessage,
  Message,
  SnapshotMessage,
} from '../../raft/index.ts';
import { EntryKind } from '../../raft/index.ts';
import { type ByteReader, varintSize, writeVarint } from '../../state/wire.ts';

/** What travels as a RaftMessage. */
export type PlainMessage = Exclude<Message, HeartbeatMessage | HeartbeatResponseMessage | SnapshotMessage>;

/** `gomsg.internal.v1.RaftMessageType` of each. */
const TYPES = {
  append: 1,
  'append-response': 2,
  vote: 3,
  'vote-response': 4,
  'pre-vote': 5,
  'pre-vote-response': 6,
  'timeout-now': 7,
  hibernate: 8,
} as const satisfies Record<PlainMessage['type'], number>;

// Numbers of the fields. All but the entries are varints, and all tags are one byte.
const GROUP = 1;
const TYPE = 2;
const FROM = 3;
const TO = 4;
const TERM = 5;
const INDEX = 6;
const LOG_TERM = 7;
const COMMIT_INDEX = 8;
const COMMIT_TERM = 9;
const ENTRIES = 10;
const REJECTED = 11;
const HINT_INDEX = 12;
const HINT_TERM = 13;
const TRANSFER = 14;
const GRANTED = 15;
const FIELDS = 16;

const ENTRIES_TAG = (ENTRIES << 3) | 2;
const ENTRY_TERM_TAG = 0x08;
const ENTRY_KIND_TAG = 0x10;
const ENTRY_DATA_TAG = 0x1a;

const NO_ENTRIES: readonly Entry[] = [];
const NO_DATA = new Uint8Array(0);

/** A message measured and ready to be written. */
export interface MeasuredMessage {
  /** By field number; 0 where the field is left out. */
  readonly fields: readonly number[];
  readonly entries: readonly Entry[];
  /** Size of its encoding. */
  readonly bytes: number;
}

/** Measures a message. Holds on to its entries, which are immutable, and to nothing else. */
export function measureMessage(group: number, message: PlainMessage): MeasuredMessage {
  const fields = new Array<number>(FIELDS).fill(0);
  fields[GROUP] = group;
  fields[TYPE] = TYPES[message.type];
  fields[FROM] = message.from;
  fields[TO] = message.to;
  fields[TERM] = message.term;
  let entries = NO_ENTRIES;
  switch (message.type) {
    case 'append':
      fields[INDEX] = message.previousIndex;
      fields[LOG_TERM] = message.previousTerm;
      fields[COMMIT_INDEX] = message.commit;
      entries = message.entries;
      break;
    case 'append-response':
      fields[INDEX] = message.index;
      fields[REJECTED] = message.rejected ? 1 : 0;
      fields[HINT_INDEX] = message.hintIndex;
      fields[HINT_TERM] = message.hintTerm;
      break;
    case 'vote':
      fields[TRANSFER] = message.transfer ? 1 : 0;
      candidateFields(fields, message);
      break;
    case 'pre-vote':
      candidateFields(fields, message);
      break;
    case 'vote-response':
    case 'pre-vote-response':
      fields[COMMIT_INDEX] = message.commitIndex;
      fields[COMMIT_TERM] = message.commitTerm;
      fields[GRANTED] = message.granted ? 1 : 0;
      break;
    case 'hibernate':
      fields[COMMIT_INDEX] = message.commit;
      break;
    case 'timeout-now':
      break;
  }
  let bytes = 0;
  for (const value of fields) if (value !== 0) bytes += 1 + varintSize(value);
  for (const entry of entries) {
    const body = entrySize(entry);
    bytes += 1 + varintSize(body) + body;
  }
  return { fields, entries, bytes };
}

function candidateFields(fields: number[], message: PlainMessage & { type: 'vote' | 'pre-vote' }): void {
  fields[INDEX] = message.lastIndex;
  fields[LOG_TERM] = message.lastTerm;
  fields[COMMIT_INDEX] = message.commitIndex;
  fields[COMMIT_TERM] = message.commitTerm;
}

function entrySize(entry: Entry): number {
  const { length } = entry.data;
  return (
    (entry.term === 0 ? 0 : 1 + varintSize(entry.term)) +
    (entry.kind === 0 ? 0 : 2) +
    (length === 0 ? 0 : 1 + varintSize(length) + length)
  );
}

/** Writes the encoding of a message at `at`; returns the offset behind it. */
export function writeMessage(target: Uint8Array, start: number, message: MeasuredMessage): number {
  let at = writeFields(target, start, message.fields, GROUP, ENTRIES);
  for (const entry of message.entries) {
    target[at++] = ENTRIES_TAG;
    at = writeEntry(target, writeVarint(target, at, entrySize(entry)), entry);
  }
  at = writeFields(target, at, message.fields, REJECTED, FIELDS);
  return at;
}

function writeFields(
  target: Uint8Array,
  start: number,
  fields: readonly number[],
  from: number,
  to: number,
): number {
  let at = start;
  for (let field = from; field < to; field++) {
    const value = fields[field]!;
    if (value === 0) continue;
    target[at++] = field << 3;
    at = writeVarint(target, at, value);
  }
  return at;
}

function writeEntry(target: Uint8Array, start: number, entry: Entry): number {
  let at = start;
  if (entry.term !== 0) {
    target[at++] = ENTRY_TERM_TAG;
    at = writeVarint(target, at, entry.term);
  }
  if (entry.kind !== 0) {
    target[at++] = ENTRY_KIND_TAG;
    target[at++] = entry.kind;
  }
  if (entry.data.length > 0) {
    target[at++] = ENTRY_DATA_TAG;
    at = writeVarint(target, at, entry.data.length);
    target.set(entry.data, at);
    at += entry.data.length;
  }
  return at;
}

/**
 * The message with its entries' data in memory of its own. For a small part of a large frame: its entries may be kept for
 * long, and as views they would keep the whole frame.
 */
export function withOwnEntries(message: Message): Message {
  if (message.type !== 'append' || message.entries.length === 0) return message;
  const data = Buffer.concat(message.entries.map((entry) => entry.data));
  let at = 0;
  const entries = message.entries.map((entry) => {
    const from = at;
    at += entry.data.length;
    return { ...entry, data: data.subarray(from, at) };
  });
  return { ...message, entries };
}

export interface GroupMessage {
  readonly group: number;
  readonly message: Message;
}

/** Reads a message of `length` bytes. Entries' data are views of what the reader reads. @throws RangeError */
export function readMessage(reader: ByteReader, length: number): GroupMessage {
  const end = reader.at + length;
  const fields = new Array<number>(FIELDS).fill(0);
  const entries: Omit<Entry, 'index'>[] = [];
  while (reader.at < end) {
    const tag = reader.u8();
    if (tag === ENTRIES_TAG) entries.push(readEntry(reader, reader.varint()));
    else if ((tag & 7) === 0 && tag > 7 && tag < 0x80) fields[tag >> 3] = reader.varint();
    else throw new RangeError(`a Raft message has an unknown field (tag ${tag})`);
  }
  if (reader.at !== end) throw new RangeError('a Raft message reaches behind its length');
  return { group: fields[GROUP]!, message: messageOf(fields, entries) };
}

function readEntry(reader: ByteReader, length: number): Omit<Entry, 'index'> {
  const end = reader.at + length;
  let term = 0;
  let kind = 0;
  let data: Uint8Array = NO_DATA;
  while (reader.at < end) {
    const tag = reader.u8();
    if (tag === ENTRY_TERM_TAG) term = reader.varint();
    else if (tag === ENTRY_KIND_TAG) kind = reader.varint();
    else if (tag === ENTRY_DATA_TAG) data = reader.bytes(reader.varint());
    else throw new RangeError(`an entry has an unknown field (tag ${tag})`);
  }
  if (reader.at !== end) throw new RangeError('an entry reaches behind its length');
  if (kind !== EntryKind.NORMAL && kind !== EntryKind.CONFIGURATION && kind !== EntryKind.NO_OP) {
    throw new RangeError(`an entry has the unknown kind ${kind}`);
  }
  return { term, kind, data };
}

function messageOf(fields: readonly number[], entries: readonly Omit<Entry, 'index'>[]): Message {
  const envelope = { from: fields[FROM]!, to: fields[TO]!, term: fields[TERM]! };
  const committed = { commitIndex: fields[COMMIT_INDEX]!, commitTerm: fields[COMMIT_TERM]! };
  const last = { lastIndex: fields[INDEX]!, lastTerm: fields[LOG_TERM]! };
  const granted = fields[GRANTED] !== 0;
  switch (fields[TYPE]) {
    case TYPES.append:
      return appendOf(envelope, fields, entries);
    case TYPES['append-response']:
      return {
        type: 'append-response',
        ...envelope,
        index: fields[INDEX]!,
        rejected: fields[REJECTED] !== 0,
        hintIndex: fields[HINT_INDEX]!,
        hintTerm: fields[HINT_TERM]!,
      };
    case TYPES.vote:
      return { type: 'vote', ...envelope, ...last, ...committed, transfer: fields[TRANSFER] !== 0 };
    case TYPES['vote-response']:
      return { type: 'vote-response', ...envelope, ...committed, granted };
    case TYPES['pre-vote']:
      return { type: 'pre-vote', ...envelope, ...last, ...committed };
    case TYPES['pre-vote-response']:
      return { type: 'pre-vote-response', ...envelope, ...committed, granted };
    case TYPES['timeout-now']:
      return { type: 'timeout-now', ...envelope };
    case TYPES.hibernate:
      return { type: 'hibernate', ...envelope, commit: fields[COMMIT_INDEX]! };
    default:
      throw new RangeError(`a Raft message has the unknown type ${fields[TYPE]}`);
  }
}

function appendOf(
  envelope: Pick<AppendMessage, 'from' | 'to' | 'term'>,
  fields: readonly number[],
  entries: readonly Omit<Entry, 'index'>[],
): AppendMessage {
  const previousIndex = fields[INDEX]!;
  if (!Number.isSafeInteger(previousIndex + entries.length)) {
    throw new RangeError('an append reaches behind the last index that there can be');
  }
  return {
    type: 'append',
    ...envelope,
    previousIndex,
    previousTerm: fields[LOG_TERM]!,
    entries: entries.map(({ term, kind, data }, position) => ({
      index: previousIndex + 1 + position,
      term,
      kind,
      data,
    })),
    commit: fields[COMMIT_INDEX]!,
  };
}
