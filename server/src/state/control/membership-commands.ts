/** The commands about nodes: FoundCluster, AdmitNode, UpdateNode, MarkLeaving, MarkLeft. */
import { create, toBinary } from '@bufbuild/protobuf';
import { NODE_NUMBER_MAX, nodeOf } from '../../cluster/replica-id.ts';
import {
  AdmissionSchema,
  type AdmitNode,
  type FoundCluster,
  type MarkLeaving,
  type MarkLeft,
  type NodeFacts,
  type RaiseLevel,
  type UpdateNode,
} from '../../gen/gomsg/internal/v1/control_pb.js';
import type { Failure, Outcome } from '../failure.ts';
import { LEVEL, LevelTooNewError, levelSent } from '../level.ts';
import { factsProblem, newcomerProblem, replicationProblem, slotsProblem } from './checks.ts';
import type { ControlTable } from './control-table.ts';
import {
  fewerReplicas,
  founded,
  idUsed,
  invalid,
  invalidSettings,
  lastNode,
  nodeNotFound,
  notAllApply,
  notFounded,
  stillHolding,
  stillStaying,
  tooOld,
} from './failures.ts';
import { GroupPlacement } from './group-placement.ts';
import { CONTROL_GROUP } from './limits.ts';
import type { ControlListener } from './listener.ts';
import { Member } from './member.ts';
import type { ClusterRecord } from './records.ts';

/** Number of the node that founds a cluster. */
const FIRST_NODE = 1;

/** Answer of the commands that have nothing to tell. */
const DONE = new Uint8Array(0);

export class MembershipCommands {
  readonly #table: ControlTable;

  constructor(table: ControlTable) {
    this.#table = table;
  }

  found(request: FoundCluster, stamp_ms: number, listener: ControlListener | undefined): Outcome {
    const { cluster } = this.#table;
    if (cluster !== undefined) {
      const first = this.#table.member(FIRST_NODE)!;
      const isRepeated =
        request.clusterId === cluster.clusterId &&
        request.node?.nodeId === first.nodeId &&
        sameBytes(request.nonce, first.nonce);
      return isRepeated ? admission(cluster, first) : founded(cluster.clusterId);
    }
    const problem =
      newcomerProblem(request.node, request.nonce) ??
      slotsProblem(request) ??
      replicationProblem(request.replication);
    if (problem) return problem;
    if (request.clusterId === '') return invalid('a cluster is founded with an id');

    const record: ClusterRecord = {
      clusterId: request.clusterId,
      foundedAt_ms: stamp_ms,
      epoch: 0,
      replication: request.replication,
      nextNode: FIRST_NODE,
      level: levelSent(request.node!.level),
    };
    this.#table.cluster = record;
    const epoch = this.#table.nextEpoch(record);
    const first = this.#add(record, request.node!, request.nonce, stamp_ms);
    this.#table.addGroup(new GroupPlacement(CONTROL_GROUP, [], epoch));
    this.#table.enrolInControlGroup([first.number], epoch);
    for (const [position, { first: from, last }] of request.groups.entries()) {
      const placement = new GroupPlacement(CONTROL_GROUP + 1 + position, [{ first: from, last }], epoch);
      placement.moveTo([first.number], epoch);
      this.#table.addGroup(placement);
    }
    listener?.founded();
    return admission(record, first);
  }

  admit(request: AdmitNode, stamp_ms: number, listener: ControlListener | undefined): Outcome {
    const { cluster } = this.#table;
    if (cluster === undefined) return notFounded;
    const problem = newcomerProblem(request.node, request.nonce);
    if (problem) return problem;
    const facts = request.node!;
    const known = this.#byId(facts.nodeId);
    if (known !== undefined) {
      const isRepeated = known.standing !== 'left' && sameBytes(known.nonce, request.nonce);
      return isRepeated ? admission(cluster, known) : idUsed(known);
    }
    const level = levelSent(facts.level);
    if (level < cluster.level) return tooOld(facts.nodeId, level, cluster.level);
    if (cluster.nextNode > NODE_NUMBER_MAX) {
      return invalidSettings(facts.nodeId, `a cluster admits at most ${NODE_NUMBER_MAX} nodes in its life`);
    }
    const member = this.#add(cluster, facts, request.nonce, stamp_ms);
    this.#enrol(this.#table.nextEpoch(cluster));
    listener?.memberChanged(member.number);
    listener?.placementChanged(CONTROL_GROUP);
    return admission(cluster, member);
  }

  update(request: UpdateNode, listener: ControlListener | undefined): Outcome {
    const member = this.#present(request.node);
    if ('reason' in member) return member;
    const problem = factsProblem({
      address: request.address ?? '',
      hostLabel: request.hostLabel ?? '',
      version: request.version ?? '',
    });
    if (problem) return problem;
    const {
      address = member.address,
      hostLabel = member.hostLabel,
      version = member.version,
      level = member.level,
    } = request;
    if (address === '') return invalid('a node has an address');
    const { level: needed } = this.#table.cluster!;
    if (level < needed) return tooOld(member.nodeId, level, needed);
    const isSame =
      address === member.address &&
      hostLabel === member.hostLabel &&
      version === member.version &&
      level === member.level;
    if (isSame) return DONE;
    member.address = address;
    member.hostLabel = hostLabel;
    member.version = version;
    member.level = level;
    this.#changed(member, listener);
    return DONE;
  }

  markLeaving(request: MarkLeaving, listener: ControlListener | undefined): Outcome {
    const member = this.#present(request.node);
    if ('reason' in member) return member;
    if (member.standing === 'leaving') return DONE;
    const others = [...this.#table.members()].filter(
      (other) => other !== member && other.standing === 'active',
    );
    if (others.length === 0) return lastNode(member);
    const { replication } = this.#table.cluster!;
    if (request.keepsReplication && others.length < replication) {
      return fewerReplicas(member, others.length, replication);
    }
    member.standing = 'leaving';
    this.#changed(member, listener);
    return DONE;
  }

  markLeft(request: MarkLeft, listener: ControlListener | undefined): Outcome {
    const member = this.#table.member(request.node);
    if (member === undefined) return nodeNotFound(request.node, undefined);
    if (member.standing === 'left') return DONE;
    if (member.standing === 'active') return stillStaying(member);
    const holding = this.#table.groups.find((placement) => placement.votesOn(member.number));
    if (holding !== undefined) return stillHolding(member, holding.group);
    member.standing = 'left';
    // It never comes back, so there is no incarnation to tell from another.
    for (const placement of this.#table.groups) {
      if (placement.incarnations.delete(member.number)) this.#table.touchGroup(placement);
    }
    this.#enrol(this.#changed(member, listener));
    listener?.placementChanged(CONTROL_GROUP);
    return DONE;
  }

  /** @throws LevelTooNewError on a node that does not apply the level: what comes next may be written at it */
  raiseLevel({ level }: RaiseLevel, listener: ControlListener | undefined): Outcome {
    const { cluster } = this.#table;
    if (cluster === undefined) return notFounded;
    if (level <= cluster.level) return DONE;
    for (const member of this.#table.members()) {
      if (member.standing !== 'left' && member.level < level) return notAllApply(member, level);
    }
    if (level > LEVEL) throw new LevelTooNewError('what the cluster writes from here on', level);
    cluster.level = level;
    this.#table.nextEpoch(cluster);
    listener?.levelRaised();
    return DONE;
  }

  #add(cluster: ClusterRecord, facts: NodeFacts, nonce: Uint8Array, stamp_ms: number): Member {
    // Copied: the nonce may be a view into the entry.
    const member = new Member(cluster.nextNode++, facts, nonce.slice(), stamp_ms);
    this.#table.touchCluster();
    this.#table.addMember(member);
    return member;
  }

  #changed(member: Member, listener: ControlListener | undefined): number {
    this.#table.touchMember(member);
    listener?.memberChanged(member.number);
    return this.#table.nextEpoch(this.#table.cluster!);
  }

  /** Counts who holds the control group anew; who votes stays. */
  #enrol(epoch: number): void {
    const { desired } = this.#table.group(CONTROL_GROUP)!;
    this.#table.enrolInControlGroup(desired.voters.map(nodeOf), epoch);
  }

  #byId(nodeId: string): Member | undefined {
    const number = this.#table.numberOf(nodeId);
    return number === undefined ? undefined : this.#table.member(number);
  }

  #present(node: number): Member | Failure {
    const member = this.#table.member(node);
    return member === undefined || member.standing === 'left' ? nodeNotFound(node, member) : member;
  }
}

function admission(cluster: ClusterRecord, member: Member): Uint8Array {
  const { clusterId, epoch } = cluster;
  const answer = create(AdmissionSchema, { node: member.number, clusterId, epoch: BigInt(epoch) });
  return toBinary(AdmissionSchema, answer);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
