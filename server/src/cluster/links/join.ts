/** Admission to a cluster: what a candidate says and what it is told. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  JoinRefusalReason,
  PeerServiceJoinRequestSchema,
  PeerServiceJoinResponseSchema,
} from '../../gen/gomsg/internal/v1/peer_pb.js';
import { aloneInMemory } from './handshake.ts';

export interface JoinRequest {
  readonly nodeId: string;
  /** `host:port` at which the others and clients reach the candidate. */
  readonly address: string;
  /** What fails together with it; undefined = nothing is said. */
  readonly hostLabel?: string | undefined;
  /** Version of its program. */
  readonly version: string;
  /** Highest level that it applies: see `state/level.ts`. */
  readonly level: number;
  /**
   * Made up by the candidate before its first try and kept: a repeated request with the same token is the same admission,
   * one with another token is another node that wants the id.
   */
  readonly token: string;
}

export interface JoinedMember {
  readonly number: number;
  readonly nodeId: string;
  readonly address: string;
}

export interface Admission {
  readonly clusterId: string;
  /** The new member's own number. */
  readonly nodeNumber: number;
  /** Data groups of the cluster. */
  readonly groups: number;
  /** All members, the new one included. */
  readonly members: readonly JoinedMember[];
}

/** Why a member cannot admit a candidate. `unavailable` passes; the others do not. */
export type JoinRefusal = 'id-in-use' | 'not-a-cluster' | 'version' | 'unavailable';

export type JoinAnswer =
  | { readonly kind: 'admitted'; readonly admission: Admission }
  /** Only the leader of the control group can tell: it is there. */
  | { readonly kind: 'ask'; readonly nodeId: string; readonly address: string }
  | { readonly kind: 'refused'; readonly reason: JoinRefusal; readonly message: string };

const REASONS: Readonly<Record<JoinRefusal, JoinRefusalReason>> = {
  'id-in-use': JoinRefusalReason.ID_IN_USE,
  'not-a-cluster': JoinRefusalReason.NOT_A_CLUSTER,
  version: JoinRefusalReason.VERSION,
  unavailable: JoinRefusalReason.UNAVAILABLE,
};

const REFUSALS = new Map(
  Object.entries(REASONS).map(([refusal, reason]) => [reason, refusal as JoinRefusal]),
);

export function encodeJoinRequest({ hostLabel, ...rest }: JoinRequest): Buffer {
  const candidate = { ...rest, hostLabel: hostLabel ?? '' };
  return aloneInMemory(
    toBinary(PeerServiceJoinRequestSchema, create(PeerServiceJoinRequestSchema, { candidate })),
  );
}

/** @throws RangeError when it is malformed */
export function decodeJoinRequest(bytes: Uint8Array): JoinRequest {
  const { candidate } = decode(() => fromBinary(PeerServiceJoinRequestSchema, bytes));
  if (candidate === undefined || candidate.nodeId === '' || candidate.address === '') {
    throw new RangeError('a request for admission names no node');
  }
  const { nodeId, address, hostLabel, version, level, token } = candidate;
  return { nodeId, address, hostLabel: hostLabel === '' ? undefined : hostLabel, version, level, token };
}

export function encodeJoinAnswer(answer: JoinAnswer): Buffer {
  return aloneInMemory(
    toBinary(
      PeerServiceJoinResponseSchema,
      create(PeerServiceJoinResponseSchema, { answer: answerInit(answer) }),
    ),
  );
}

function answerInit(
  answer: JoinAnswer,
): NonNullable<MessageInitShape<typeof PeerServiceJoinResponseSchema>['answer']> {
  switch (answer.kind) {
    case 'admitted': {
      const { clusterId, nodeNumber, groups, members } = answer.admission;
      return {
        case: 'admitted',
        value: { clusterId, nodeNumber, groups, members: members.map((member) => ({ ...member })) },
      };
    }
    case 'ask':
      return { case: 'ask', value: { nodeId: answer.nodeId, address: answer.address } };
    case 'refused':
      return { case: 'refused', value: { reason: REASONS[answer.reason], message: answer.message } };
  }
}

/** @throws RangeError when it is malformed */
export function decodeJoinAnswer(bytes: Uint8Array): JoinAnswer {
  const { answer } = decode(() => fromBinary(PeerServiceJoinResponseSchema, bytes));
  switch (answer.case) {
    case 'admitted': {
      const { clusterId, nodeNumber, groups, members } = answer.value;
      return {
        kind: 'admitted',
        admission: {
          clusterId,
          nodeNumber,
          groups,
          members: members.map(({ number, nodeId, address }) => ({ number, nodeId, address })),
        },
      };
    }
    case 'ask':
      return { kind: 'ask', nodeId: answer.value.nodeId, address: answer.value.address };
    case 'refused':
      return {
        kind: 'refused',
        // A reason of a newer member is one that will not pass.
        reason: REFUSALS.get(answer.value.reason) ?? 'version',
        message: answer.value.message,
      };
    default:
      throw new RangeError('an answer to a request for admission says nothing');
  }
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new RangeError('a message about admission cannot be decoded', { cause: error });
  }
}
