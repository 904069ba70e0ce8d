/** What grpc-js throws, as a `GomsgError`. */
import type { ServiceError } from '@grpc/grpc-js';
import { detailFromStatusTrailer, errorFromDetail, type GomsgError, GrpcCode, gomsgError } from './errors.ts';

const STATUS_DETAILS_TRAILER = 'grpc-status-details-bin';

/** `where` stands before the message. */
export function serviceError(error: ServiceError, where: string): GomsgError {
  const [trailer] = error.metadata?.get(STATUS_DETAILS_TRAILER) ?? [];
  const detail = typeof trailer === 'object' ? detailFromStatusTrailer(trailer) : undefined;
  return errorFromDetail(error.code, `${where}: ${withoutEmptyNote(error.details)}`, detail, error);
}

/** A token could not be had, so nothing was sent. */
export function noToken(cause: unknown, address: string): GomsgError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return gomsgError({ code: GrpcCode.UNAVAILABLE, message: `${address}: no token: ${why}`, cause });
}

/** Of a failed connection grpc-js tells what its resolver noted, also when that is nothing. */
function withoutEmptyNote(details: string): string {
  return details.replace(/\.? Resolution note: $/, '');
}
