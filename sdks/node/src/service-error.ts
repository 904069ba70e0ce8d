/** What grpc-js throws, as a `GomsgError`. */
import type { ServiceError } from '@grpc/grpc-js';
import { detailFromStatusTrailer, errorFromDetail, type GomsgError } from './errors.ts';

const STATUS_DETAILS_TRAILER = 'grpc-status-details-bin';

/** `where` stands before the message. */
export function serviceError(error: ServiceError, where: string): GomsgError {
  const [trailer] = error.metadata?.get(STATUS_DETAILS_TRAILER) ?? [];
  const detail = typeof trailer === 'object' ? detailFromStatusTrailer(trailer) : undefined;
  return errorFromDetail(error.code, `${where}: ${error.details}`, detail, error);
}
