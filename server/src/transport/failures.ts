/** Failures of the transport itself, and how anything thrown becomes one. */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { ErrorReason, GomsgError } from '../services/errors.ts';
import type { Failure } from '../state/failure.ts';
import type { ReportBug } from '../state/guarded-listener.ts';

/**
 * A failure outside gomsg's catalogue: the standard services (health, reflection) prescribe gRPC codes that no
 * reason of ours means. It travels without a typed detail.
 */
export interface CodedFailure extends Failure {
  readonly reason: ErrorReason.UNSPECIFIED;
  /** Canonical gRPC code (google.rpc.Code). */
  readonly code: number;
}

export class CodedError extends GomsgError implements CodedFailure {
  declare readonly reason: ErrorReason.UNSPECIFIED;
  readonly code: number;

  constructor(code: number, message: string) {
    super({ reason: ErrorReason.UNSPECIFIED, message });
    this.code = code;
  }
}

export type { ReportBug };

/** A thrown value as a failure. What is no GomsgError is a bug: it is reported, and the caller learns no more. */
export function toFailure(error: unknown, where: string, report: ReportBug): Failure {
  if (error instanceof GomsgError) return error;
  report(error, where);
  return { reason: ErrorReason.INTERNAL, message: `${where} failed unexpectedly; the server's log says why` };
}

/** Why a call or stream ends when its node shuts down. */
export const DRAINING: Failure = {
  reason: ErrorReason.DRAINING,
  message: 'the node is shutting down; use another node, or this one once it is back',
};

/** Decodes a request of a service that lives in the transport. @throws GomsgError INVALID_REQUEST when it cannot. */
export function decodeRequest<D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(desc, bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new GomsgError({
      reason: ErrorReason.INVALID_REQUEST,
      message: `the request is not a valid ${desc.typeName}: ${why}`,
    });
  }
}

/** Why the signal of a call is aborted. */
export function abandoned(deadline_ms: number | undefined): GomsgError {
  return deadline_ms !== undefined && Date.now() >= deadline_ms
    ? new GomsgError({
        reason: ErrorReason.DEADLINE_EXCEEDED,
        message: 'the deadline of the call passed; a write may still be applied',
      })
    : new GomsgError({
        reason: ErrorReason.CANCELED,
        message: 'the caller gave up on the call; a write may still be applied',
      });
}

/** Tells a producer whose caller is gone to stop. That it may end in an abort error is how it stops, not a bug. */
export function stopProducer(messages: AsyncIterator<unknown>, where: string, report: ReportBug): void {
  messages.return?.().catch((error: unknown) => {
    if (!(error instanceof Error && error.name === 'AbortError')) toFailure(error, where, report);
  });
}
