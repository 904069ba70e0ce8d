/**
 * Group membership: its shape, the changes that are allowed, and its bytes in a log entry (thesis chapter 4).
 *
 * A change of one voter, or of learners only, takes effect in one step (§4.1). Anything else goes through a joint
 * configuration in which both the outgoing and the incoming majority must agree (§4.3).
 *
 * A configuration entry holds the whole resulting configuration, not the difference: a replica that replays the log
 * from its first entry needs no earlier knowledge, and applying one twice changes nothing. That is sound because a
 * leader proposes one only after it has applied every earlier one.
 *
 * A configuration takes effect on a replica when the entry is applied there (as in etcd), not when it is appended.
 */
import { assert, ConfigurationRefusedError } from './errors.ts';

export interface Configuration {
  /** The majority that decides; in a joint configuration, the incoming one. Ascending. */
  readonly voters: readonly number[];
  /** In a joint configuration, the outgoing majority; else empty. Ascending. */
  readonly votersOutgoing: readonly number[];
  /** Receive the log, count for nothing. Ascending, disjoint from both majorities. */
  readonly learners: readonly number[];
  /** Outgoing voters that become learners when the joint configuration is left. Ascending. */
  readonly learnersNext: readonly number[];
  /** The leader proposes the way out of the joint configuration by itself, as soon as the way in is applied. */
  readonly autoLeave: boolean;
}

export interface MemberChange {
  /** `add-voter` also promotes a learner, `add-learner` also demotes a voter. */
  readonly type: 'add-voter' | 'add-learner' | 'remove';
  readonly node: number;
}

export type ConfigurationChange =
  | {
      readonly kind: 'change';
      readonly changes: readonly MemberChange[];
      /**
       * - `automatic`: one step when one voter at most changes, else joint and left automatically.
       * - `joint-auto-leave`: joint in any case, left automatically.
       * - `joint-explicit`: joint until somebody proposes `leave-joint`.
       */
      readonly transition: 'automatic' | 'joint-auto-leave' | 'joint-explicit';
    }
  | { readonly kind: 'leave-joint' };

/** A configuration that is not joint. No arguments: the configuration of a replica that is yet to join. */
export function makeConfiguration(
  voters: readonly number[] = [],
  learners: readonly number[] = [],
): Configuration {
  return {
    voters: ascending(voters),
    votersOutgoing: [],
    learners: ascending(learners),
    learnersNext: [],
    autoLeave: false,
  };
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** Whether the node votes in either majority. */
export function isVoter(configuration: Configuration, node: number): boolean {
  return configuration.voters.includes(node) || configuration.votersOutgoing.includes(node);
}

/** Whether the node has any part in the group. */
export function isMember(configuration: Configuration, node: number): boolean {
  return isVoter(configuration, node) || configuration.learners.includes(node);
}

/** Every member once, ascending. */
export function members(configuration: Configuration): number[] {
  return ascending(
    new Set([...configuration.voters, ...configuration.votersOutgoing, ...configuration.learners]),
  );
}

/**
 * The configuration after a change.
 *
 * @throws ConfigurationRefusedError for every reason but `pending`, which only the leader can know.
 */
export function changedConfiguration(current: Configuration, change: ConfigurationChange): Configuration {
  if (change.kind === 'leave-joint') return leaveJoint(current);
  if (isJoint(current)) throw new ConfigurationRefusedError('joint');
  assert(current.voters.length > 0, 'a change of a configuration that nobody knows');
  const direct = withChanges(current, change.changes);
  if (direct.voters.length === 0) throw new ConfigurationRefusedError('no-voters');
  if (sameConfiguration(current, direct)) throw new ConfigurationRefusedError('no-change');
  if (change.transition === 'automatic' && votersChanged(current, direct) <= 1) return direct;
  return enterJoint(current, direct, change.transition !== 'joint-explicit');
}

function withChanges(current: Configuration, changes: readonly MemberChange[]): Configuration {
  const voters = new Set(current.voters);
  const learners = new Set(current.learners);
  for (const { type, node } of changes) {
    assert(Number.isSafeInteger(node) && node > 0, 'a member id must be a positive safe integer');
    voters.delete(node);
    learners.delete(node);
    if (type === 'add-voter') voters.add(node);
    else if (type === 'add-learner') learners.add(node);
  }
  return {
    voters: ascending(voters),
    votersOutgoing: [],
    learners: ascending(learners),
    learnersNext: [],
    autoLeave: false,
  };
}

/** C(old,new) of thesis §4.3. A voter on its way to be a learner stays an outgoing voter until the joint is left. */
function enterJoint(current: Configuration, next: Configuration, autoLeave: boolean): Configuration {
  const outgoing = new Set(current.voters);
  return {
    voters: next.voters,
    votersOutgoing: current.voters,
    learners: next.learners.filter((node) => !outgoing.has(node)),
    learnersNext: next.learners.filter((node) => outgoing.has(node)),
    autoLeave,
  };
}

function leaveJoint(current: Configuration): Configuration {
  if (!isJoint(current)) throw new ConfigurationRefusedError('not-joint');
  return {
    voters: current.voters,
    votersOutgoing: [],
    learners: ascending([...current.learners, ...current.learnersNext]),
    learnersNext: [],
    autoLeave: false,
  };
}

function votersChanged(before: Configuration, after: Configuration): number {
  const removed = before.voters.filter((node) => !after.voters.includes(node)).length;
  const added = after.voters.filter((node) => !before.voters.includes(node)).length;
  return removed + added;
}

export function sameConfiguration(a: Configuration, b: Configuration): boolean {
  return (
    sameNodes(a.voters, b.voters) &&
    sameNodes(a.votersOutgoing, b.votersOutgoing) &&
    sameNodes(a.learners, b.learners) &&
    sameNodes(a.learnersNext, b.learnersNext) &&
    a.autoLeave === b.autoLeave
  );
}

function sameNodes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((node, position) => node === b[position]);
}

function ascending(nodes: Iterable<number>): number[] {
  return [...nodes].sort((a, b) => a - b);
}

const FORMAT_VERSION = 1;
const HEADER_BYTES = 2;
const COUNT_BYTES = 4;
const NODE_BYTES = 8;

/**
 * Bytes of a configuration entry: version (1 byte), auto-leave (1 byte), then the four member lists, each a count
 * (4 bytes) and its node ids (8 bytes each); big endian.
 */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const lists = listsOf(configuration);
  const nodes = lists.reduce((sum, list) => sum + list.length, 0);
  const bytes = new Uint8Array(HEADER_BYTES + lists.length * COUNT_BYTES + nodes * NODE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT_VERSION);
  view.setUint8(1, configuration.autoLeave ? 1 : 0);
  let offset = HEADER_BYTES;
  for (const list of lists) {
    view.setUint32(offset, list.length);
    offset += COUNT_BYTES;
    for (const node of list) {
      view.setBigUint64(offset, BigInt(node));
      offset += NODE_BYTES;
    }
  }
  return bytes;
}

/** Reads what `encodeConfiguration` wrote. */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assert(
    view.byteLength >= HEADER_BYTES && view.getUint8(0) === FORMAT_VERSION,
    'unknown configuration format',
  );
  let offset = HEADER_BYTES;
  const list = (): number[] => {
    assert(offset + COUNT_BYTES <= view.byteLength, 'configuration entry is cut short');
    const count = view.getUint32(offset);
    offset += COUNT_BYTES;
    assert(offset + count * NODE_BYTES <= view.byteLength, 'configuration entry is cut short');
    const nodes: number[] = [];
    for (let i = 0; i < count; i++) {
      nodes.push(Number(view.getBigUint64(offset)));
      offset += NODE_BYTES;
    }
    return nodes;
  };
  const configuration: Configuration = {
    voters: list(),
    votersOutgoing: list(),
    learners: list(),
    learnersNext: list(),
    autoLeave: view.getUint8(1) === 1,
  };
  assert(offset === view.byteLength, 'configuration entry has trailing bytes');
  return configuration;
}

function listsOf(configuration: Configuration): readonly (readonly number[])[] {
  return [
    configuration.voters,
    configuration.votersOutgoing,
    configuration.learners,
    configuration.learnersNext,
  ];
}
