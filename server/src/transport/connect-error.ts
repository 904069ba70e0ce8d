/** Failures as Connect errors, which connect-es also turns into gRPC-Web trailers. */
import { type Code, ConnectError } from '@connectrpc/connect';
import { ErrorDetailSchema } from '../gen/gomsg/v1/common_pb.js';
import { ErrorReason, errorDetail } from '../services/errors.ts';
import type { Failure } from '../state/failure.ts';
import { grpcCode, wireMessage } from './grpc-status.ts';

/** With the typed detail, readable in JSON, and a `retry-after` header (in seconds) where one applies. */
export function toConnectError(failure: Failure): ConnectError {
  const headers = new Headers();
  if (failure.retryAfter_ms !== undefined) {
    headers.set('retry-after', String(Math.ceil(failure.retryAfter_ms / 1000)));
  }
  // Connect's codes are gRPC's; zero (OK) is no failure and never comes here.
  const code: Code = grpcCode(failure);
  const details =
    failure.reason === ErrorReason.UNSPECIFIED
      ? []
      : [{ desc: ErrorDetailSchema, value: errorDetail(failure) }];
  return new ConnectError(wireMessage(failure), code, headers, details);
}
