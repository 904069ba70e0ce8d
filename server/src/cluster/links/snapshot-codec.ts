/** Messages of a snapshot's stream. Its chunks are by hand, so that they are copied no more often than needed. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type PeerServiceInstallSnapshotRequest,
  PeerServiceInstallSnapshotRequestSchema,
  type PeerServiceInstallSnapshotResponse,
  PeerServiceInstallSnapshotResponseSchema,
} from '../../gen/gomsg/internal/v1/peer_pb.js';
import { decodeConfiguration, encodeConfiguration, type SnapshotMessage } from '../../raft/index.ts';
import { varintSize, writeVarint } from '../../state/wire.ts';
import { aloneInMemory } from './handshake.ts';

const CHUNK_TAG = 0x1a;

export function encodeOffer(group: number, { from, to, term, snapshot }: SnapshotMessage): Buffer {
  const offer = {
    group,
    from: BigInt(from),
    to: BigInt(to),
    term: BigInt(term),
    index: BigInt(snapshot.index),
    indexTerm: BigInt(snapshot.term),
    configuration: encodeConfiguration(snapshot.configuration),
  };
  return encodeRequest({ offer });
}

export function encodeLast(): Buffer {
  return encodeRequest({ last: true });
}

function encodeRequest(
  init: Parameters<typeof create<typeof PeerServiceInstallSnapshotRequestSchema>>[1],
): Buffer {
  return aloneInMemory(
    toBinary(PeerServiceInstallSnapshotRequestSchema, create(PeerServiceInstallSnapshotRequestSchema, init)),
  );
}

export function encodeChunk(chunk: Uint8Array): Buffer {
  const target = Buffer.allocUnsafeSlow(1 + varintSize(chunk.length) + chunk.length);
  target[0] = CHUNK_TAG;
  target.set(chunk, writeVarint(target, 1, chunk.length));
  return target;
}

/** @throws RangeError when it is malformed */
export function decodeSnapshotRequest(bytes: Uint8Array): PeerServiceInstallSnapshotRequest {
  try {
    return fromBinary(PeerServiceInstallSnapshotRequestSchema, bytes);
  } catch (error) {
    throw new RangeError('a message of a snapshot cannot be decoded', { cause: error });
  }
}

/** The Raft message of an offer. @throws RangeError when it is malformed */
export function snapshotOf(offer: NonNullable<PeerServiceInstallSnapshotRequest['offer']>): SnapshotMessage {
  let configuration: SnapshotMessage['snapshot']['configuration'];
  try {
    configuration = decodeConfiguration(offer.configuration);
  } catch (error) {
    throw new RangeError('the membership of a snapshot cannot be decoded', { cause: error });
  }
  return {
    type: 'snapshot',
    from: integer(offer.from),
    to: integer(offer.to),
    term: integer(offer.term),
    snapshot: { index: integer(offer.index), term: integer(offer.indexTerm), configuration },
  };
}

function integer(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is beyond 2^53 - 1`);
  return number;
}

/** Answers: `refused` undefined = taken whole. */
export function encodeSnapshotAnswer(refused: string | undefined): Buffer {
  const init = refused === undefined ? { taken: true } : { refused };
  return aloneInMemory(
    toBinary(
      PeerServiceInstallSnapshotResponseSchema,
      create(PeerServiceInstallSnapshotResponseSchema, init),
    ),
  );
}

/** @throws RangeError when it is malformed */
export function decodeSnapshotAnswer(bytes: Uint8Array): PeerServiceInstallSnapshotResponse {
  try {
    return fromBinary(PeerServiceInstallSnapshotResponseSchema, bytes);
  } catch (error) {
    throw new RangeError('the answer to a snapshot cannot be decoded', { cause: error });
  }
}
