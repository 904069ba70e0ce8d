/** Records of the cluster, its nodes and groups: a version byte, then varints and texts with their length in front. */
import { LEVEL_OLDEST } from '../level.ts';
import { ByteReader, ByteWriter } from '../wire.ts';
import { GroupPlacement } from './group-placement.ts';
import { Member, type Standing } from './member.ts';

const VERSION = 1;

/** The cluster as a whole. */
export interface ClusterRecord {
  readonly clusterId: string;
  readonly foundedAt_ms: number;
  /** Rises with every change of members, slots or desired replicas. */
  epoch: number;
  /** Replicas that a group is to have where there are nodes enough. */
  replication: number;
  /** Number that the next node gets. */
  nextNode: number;
  /** Level at which its members write: see `state/level.ts`. */
  level: number;
}

/** How standings are written. */
const standings: readonly Standing[] = ['active', 'leaving', 'left'];

export function encodeCluster(cluster: ClusterRecord): Uint8Array {
  const writer = text(start(), cluster.clusterId);
  writer.varint(cluster.foundedAt_ms).varint(cluster.epoch);
  return writer.varint(cluster.replication).varint(cluster.nextNode).varint(cluster.level).view();
}

export function decodeCluster(record: Uint8Array): ClusterRecord {
  const reader = open(record, 'cluster');
  return {
    clusterId: readText(reader),
    foundedAt_ms: reader.varint(),
    epoch: reader.varint(),
    replication: reader.varint(),
    nextNode: reader.varint(),
    level: readLevel(reader),
  };
}

export function encodeMember(member: Member): Uint8Array {
  const writer = start().varint(standings.indexOf(member.standing)).varint(member.admittedAt_ms);
  for (const fact of [member.nodeId, member.address, member.hostLabel, member.version]) text(writer, fact);
  return writer.varint(member.nonce.length).bytes(member.nonce).varint(member.level).view();
}

export function decodeMember(number: number, record: Uint8Array): Member {
  const reader = open(record, 'member');
  const standing = standings[reader.varint()];
  if (standing === undefined) throw new RangeError('a member record has an unknown standing');
  const admittedAt_ms = reader.varint();
  const facts = {
    nodeId: readText(reader),
    address: readText(reader),
    hostLabel: readText(reader),
    version: readText(reader),
  };
  const nonce = reader.bytes(reader.varint()).slice();
  const member = new Member(number, { ...facts, level: readLevel(reader) }, nonce, admittedAt_ms);
  member.standing = standing;
  return member;
}

export function encodeGroup(placement: GroupPlacement): Uint8Array {
  const { slots, epoch, desired, preferredLeader, incarnations } = placement;
  const writer = start().varint(epoch);
  writer.varint(preferredLeader ?? 0).varint(slots.length);
  for (const { first, last } of slots) writer.varint(first).varint(last);
  for (const replicas of [desired.voters, desired.learners]) {
    writer.varint(replicas.length);
    for (const replica of replicas) writer.varint(replica);
  }
  writer.varint(incarnations.size);
  // Sorted: the order of the map depends on whether it was read from a record.
  for (const [node, incarnation] of [...incarnations].sort(([a], [b]) => a - b)) {
    writer.varint(node).varint(incarnation);
  }
  return writer.varint(placement.reason).view();
}

export function decodeGroup(group: number, record: Uint8Array): GroupPlacement {
  const reader = open(record, 'group');
  const epoch = reader.varint();
  const preferredLeader = reader.varint();
  const slots = list(reader, () => ({ first: reader.varint(), last: reader.varint() }));
  const placement = new GroupPlacement(group, slots, epoch);
  placement.preferredLeader = preferredLeader === 0 ? undefined : preferredLeader;
  placement.desired = {
    voters: list(reader, () => reader.varint()),
    learners: list(reader, () => reader.varint()),
  };
  for (let left = reader.varint(); left > 0; left--) {
    placement.incarnations.set(reader.varint(), reader.varint());
  }
  // Behind all that records had before there were reasons.
  if (!reader.done) placement.reason = reader.varint();
  return placement;
}

function start(): ByteWriter {
  return new ByteWriter(256).u8(VERSION);
}

function text(writer: ByteWriter, value: string): ByteWriter {
  return writer.varint(Buffer.byteLength(value)).utf8(value);
}

function open(record: Uint8Array, what: string): ByteReader {
  const reader = new ByteReader(record);
  const version = reader.u8();
  if (version !== VERSION) {
    throw new Error(`a ${what} record has version ${version}; this program knows ${VERSION}`);
  }
  return reader;
}

/** Behind all that records had before there were levels. */
function readLevel(reader: ByteReader): number {
  return reader.done ? LEVEL_OLDEST : reader.varint();
}

function readText(reader: ByteReader): string {
  return reader.utf8(reader.varint());
}

function list<T>(reader: ByteReader, read: () => T): T[] {
  return Array.from({ length: reader.varint() }, read);
}
