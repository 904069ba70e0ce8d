/**
 * A node that was started with `--cluster` alone waits to be told which cluster is its own. The operator names it to any
 * member (`ClusterService/Join`), and that member calls the same rpc of the node that waits, with its own address.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, Metadata } from '@grpc/grpc-js';
import { PeerService } from '../gen/gomsg/internal/v1/peer_pb.js';
import { ClusterService, ClusterServiceJoinResponseSchema } from '../gen/gomsg/v1/cluster_pb.js';
import { INVITATION_HEADER } from '../services/cluster-service.ts';
import { unary } from '../services/decode.ts';
import { ErrorReason, GomsgError } from '../services/errors.ts';
import type { Method } from '../services/method.ts';
import type { TlsOptions } from '../transport/port.ts';
import { LinkRefusedError, RefusalReason, refuse } from './links/handshake.ts';
import { credentials } from './links/peer-channel.ts';
import { AcceptedStream } from './links/peer-stream.ts';

const { join } = ClusterService.method;
const JOIN_PATH = `/${ClusterService.typeName}/${join.name}`;

/** A node that waits answers at once. */
const INVITE_TIMEOUT_MS = 5_000;

export interface Invitation {
  /** Id of the node that is to join. */
  readonly nodeId: string;
  /** `host:port` where it waits. */
  readonly waiting: string;
  /** `host:port` of a member. */
  readonly member: string;
  readonly tls: TlsOptions | undefined;
}

/** Resolves when the node has taken the invitation. Rejects with `GomsgError`. */
export function invite({ nodeId, waiting, member, tls }: Invitation): Promise<void> {
  const client = new Client(waiting, credentials(waiting, tls));
  const request = Buffer.from(toBinary(join.input, create(join.input, { nodeId, address: member })));
  const deadline = Date.now() + INVITE_TIMEOUT_MS;
  const metadata = new Metadata();
  metadata.set(INVITATION_HEADER, 'true');
  return new Promise<void>((resolve, reject) => {
    client.makeUnaryRequest(
      JOIN_PATH,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => fromBinary(join.output, bytes),
      request,
      metadata,
      { deadline },
      (error) => {
        if (error === null) resolve();
        else {
          reject(
            new GomsgError({
              reason: ErrorReason.INVALID_REQUEST,
              message: `no node ${nodeId} waits for a cluster at ${waiting}: ${error.details}. One waits that is started with --cluster --node-id=${nodeId} on an empty data folder`,
              subject: 'address',
            }),
          );
        }
      },
    );
  }).finally(() => client.close());
}

/**
 * What a node serves while it waits: `ClusterService/Join`, which tells it of a member, and links of members that take it
 * for one of theirs, which hear what has happened.
 */
export function waitingMethods(nodeId: string, invited: (member: string) => void): Method[] {
  return [
    unary(join, (request, { reply }) => {
      if (request.nodeId !== nodeId) {
        throw new GomsgError({
          reason: ErrorReason.NODE_NOT_FOUND,
          message: `${JSON.stringify(nodeId)} waits here`,
          subject: request.nodeId,
        });
      }
      reply.ok(toBinary(ClusterServiceJoinResponseSchema, create(ClusterServiceJoinResponseSchema)));
      invited(request.address);
    }),
    {
      kind: 'bidi_streaming',
      desc: PeerService.method.link,
      number: 0,
      handle: (duplex, call) =>
        refuse(
          new AcceptedStream(duplex, call.peer),
          new LinkRefusedError(
            RefusalReason.WRONG_NODE,
            `node ${nodeId} waits here with an empty data folder, and belongs to no cluster yet: if that of a member was lost, take the member out ("gomsg cluster leave"), and join with a new --node-id`,
            true,
          ),
        ),
    },
  ];
}
