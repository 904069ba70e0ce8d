/** Failures as gRPC statuses. */
import { create, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { Metadata } from '@grpc/grpc-js';
import { ErrorDetailSchema } from '../gen/gomsg/v1/common_pb.js';
import { codeOf, ErrorReason, errorDetailBytes } from '../services/errors.ts';
import type { Failure } from '../state/failure.ts';
import type { CodedFailure } from './failures.ts';
import { StatusSchema } from './gen/google/rpc/status_pb.js';

/** Any of a gomsg.v1.ErrorDetail. */
const DETAIL_TYPE_URL = `type.googleapis.com/${ErrorDetailSchema.typeName}`;

/** Statuses travel in trailers, and clients refuse trailers past 8 KiB; percent-encoding may take thrice the bytes. */
const MAX_MESSAGE_CHARS = 1024;

/** In the shape in which grpc-js takes the status of a call. */
export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

/** The canonical gRPC code (google.rpc.Code) of a failure. */
export function grpcCode(failure: Failure): number {
  return isCoded(failure) ? failure.code : codeOf(failure.reason);
}

/** The message as it may travel: bounded, and without halves of surrogate pairs, which cannot be percent-encoded. */
export function wireMessage(failure: Failure): string {
  const { message } = failure;
  return (
    message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS)}…` : message
  ).toWellFormed();
}

/**
 * The status that grpc-js sends: code and message, `grpc-status-details-bin` with the typed detail, and
 * `grpc-retry-pushback-ms`, which gRPC's own retry policies heed.
 */
export function toGrpcStatus(failure: Failure): GrpcStatus {
  const code = grpcCode(failure);
  const details = wireMessage(failure);
  const metadata = new Metadata();
  if (failure.reason !== ErrorReason.UNSPECIFIED) {
    const any = create(AnySchema, { typeUrl: DETAIL_TYPE_URL, value: errorDetailBytes(failure) });
    const status = create(StatusSchema, { code, message: details, details: [any] });
    metadata.set('grpc-status-details-bin', asBuffer(toBinary(StatusSchema, status)));
  }
  if (failure.retryAfter_ms !== undefined) {
    metadata.set('grpc-retry-pushback-ms', String(Math.ceil(failure.retryAfter_ms)));
  }
  return { code, details, metadata };
}

/** The same bytes as a Buffer, which grpc-js needs. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isCoded(failure: Failure): failure is CodedFailure {
  return failure.reason === ErrorReason.UNSPECIFIED && 'code' in failure;
}
