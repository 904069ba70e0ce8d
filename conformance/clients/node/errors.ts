/** Errors as the protocol tells them: as the SDK's user sees them, with the SDK's own tests for their families. */
import { create } from '@bufbuild/protobuf';
import * as gomsg from '@gomsg/client';
import { ErrorSchema, type Error as WireError } from '../../src/gen/gomsg/conformance/v1/conformance_pb.js';
import { METHODS } from './gen/dispatch.ts';

const FAMILIES = {
  invalid_argument: gomsg.InvalidArgumentError,
  failed_precondition: gomsg.FailedPreconditionError,
  out_of_range: gomsg.OutOfRangeError,
  not_found: gomsg.NotFoundError,
  already_exists: gomsg.AlreadyExistsError,
  aborted: gomsg.AbortedError,
  resource_exhausted: gomsg.ResourceExhaustedError,
  unavailable: gomsg.UnavailableError,
  deadline_exceeded: gomsg.DeadlineExceededError,
  canceled: gomsg.CanceledError,
  unimplemented: gomsg.UnimplementedError,
  internal: gomsg.InternalError,
  unknown: gomsg.UnknownError,
} as const;

/** `kv.setTTL` → `kv.set_ttl`. */
const snakeNames = new Map(
  Object.entries(METHODS).map(([name, { service, method }]) => [`${service}.${method}`, name]),
);

export function errorToWire(error: unknown): WireError {
  if (!(error instanceof gomsg.GomsgError)) {
    return create(ErrorSchema, { code: 2, message: error instanceof Error ? error.message : String(error) });
  }
  const [family = ''] = Object.entries(FAMILIES).find(([, Family]) => error instanceof Family) ?? [];
  return create(ErrorSchema, {
    reason: error.reason === gomsg.ErrorReason.UNSPECIFIED ? '' : error.reasonName,
    code: error.code,
    family,
    message: error.message,
    subject: error.subject,
    retryable: error.retryable,
    method: snakeNames.get(error.method) ?? error.method,
  });
}
