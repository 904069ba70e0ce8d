/** The failures of control commands, worded in one place. */
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../failure.ts';
import type { GroupPlacement } from './group-placement.ts';
import type { MemberView } from './member.ts';

export const notFounded: Failure = {
  reason: ErrorReason.NOT_CLUSTERED,
  message: 'the cluster is not founded yet',
};

export function founded(clusterId: string): Failure {
  return {
    reason: ErrorReason.ALREADY_EXISTS,
    subject: clusterId,
    message: `the cluster ${clusterId} was founded before; a second founding would make another cluster of it`,
  };
}

export function idUsed(member: MemberView): Failure {
  const isHere = member.standing !== 'left';
  const how = isHere ? `belongs to a member (at ${member.address})` : 'belonged to a node that left';
  const lost = isHere
    ? `. If this is that member and its data folder was lost, take it out first ("gomsg cluster leave ${member.nodeId}"): its replicas are restored from the others`
    : '';
  return {
    reason: ErrorReason.ALREADY_EXISTS,
    subject: member.nodeId,
    message: `the node id ${member.nodeId} ${how}; ids are never used again: join with a new one${lost}`,
  };
}

export function nodeNotFound(node: number, member: MemberView | undefined): Failure {
  return {
    reason: ErrorReason.NODE_NOT_FOUND,
    subject: member?.nodeId ?? String(node),
    message: member
      ? `node ${member.nodeId} has left the cluster`
      : `the cluster has no node with the number ${node}`,
  };
}

export function lastNode(member: MemberView): Failure {
  return refused(member, `node ${member.nodeId} is the only one that stays: it cannot leave`);
}

export function fewerReplicas(member: MemberView, others: number, replication: number): Failure {
  return refused(
    member,
    `without node ${member.nodeId} ${others === 1 ? 'one node stays' : `${others} nodes stay`} for ${replication} replicas of each group: let another node join first, or ask again with fewer replicas (--fewer-replicas)`,
  );
}

export function stillStaying(member: MemberView): Failure {
  return refused(member, `node ${member.nodeId} is not leaving`);
}

export function stillHolding(member: MemberView, group: number): Failure {
  return refused(member, `node ${member.nodeId} is still to hold a replica of group ${group}`);
}

export function notStaying(member: MemberView): Failure {
  return refused(member, `node ${member.nodeId} is leaving and takes no replicas`);
}

export function notToHold(group: number, node: number): Failure {
  return {
    reason: ErrorReason.CONDITION_FAILED,
    subject: String(group),
    message: `node number ${node} is not to vote in group ${group}: it cannot be preferred as its leader`,
  };
}

export function placementChanged(placement: GroupPlacement, expected: number): Failure {
  return {
    reason: ErrorReason.CONDITION_FAILED,
    subject: String(placement.group),
    message: `the placement of group ${placement.group} was set at epoch ${placement.epoch}, not ${expected}`,
    currentVersion: placement.epoch,
  };
}

export function tooOld(nodeId: string, level: number, needed: number): Failure {
  return {
    reason: ErrorReason.CONDITION_FAILED,
    subject: nodeId,
    message: `node ${nodeId} applies what is written up to level ${level}, and the cluster writes at level ${needed}: upgrade gomsg on that node`,
  };
}

export function notAllApply(member: MemberView, level: number): Failure {
  return refused(
    member,
    `node ${member.nodeId} applies levels up to ${member.level}: the cluster cannot write at level ${level}`,
  );
}

export function invalid(message: string): Failure {
  return { reason: ErrorReason.INVALID_REQUEST, message };
}

export function invalidSettings(subject: string, message: string): Failure {
  return { reason: ErrorReason.INVALID_SETTINGS, subject, message };
}

function refused(member: MemberView, message: string): Failure {
  return { reason: ErrorReason.CONDITION_FAILED, subject: member.nodeId, message };
}
