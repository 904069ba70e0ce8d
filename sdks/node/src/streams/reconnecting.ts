/** The items of a stream over all its connections. */
import type { DescMessage } from '@bufbuild/protobuf';
import { ErrorReason, GomsgError, GrpcCode, gomsgError } from '../errors.ts';
import type { StreamFace } from '../faces/face.ts';
import { type BackoffSettings, backoffDelay_ms } from '../pipeline/backoff.ts';
import { NextNode } from './next-node.ts';
import type { Plan } from './plan.ts';
import type { StreamChannels } from './stream-call.ts';

/** What a stream needs of its client. */
export interface StreamNetwork {
  readonly channels: StreamChannels;
  readonly backoff: BackoffSettings;
  /** A stream that was never in place fails once no node could be reached for this long. */
  readonly unreachableTimeout_ms: number;
  /** Where a stream of this name may go, the best node first; never empty. */
  addressesFor(route: string | undefined): readonly string[];
  /** A stream of this name failed at this node: the topology may be another one. */
  failed(address: string, error: GomsgError, route: string | undefined): void;
  retried(method: string, error: GomsgError, delay_ms: number): void;
}

/** Of an error without a reason, these codes say that the same call would fail again. */
const FINAL_CODES: ReadonlySet<number> = new Set([3, 5, 7, 9, 11, 12, 16]);

/**
 * Reads a stream until `signal` is aborted. After an error that another connection can mend it connects again, with
 * waits that double, for ever once it was in place. @throws GomsgError what it cannot mend
 */
export async function* reconnecting<I extends DescMessage, O extends DescMessage, T>(
  face: StreamFace<I, O>,
  route: string | undefined,
  plan: Plan<I, O, T>,
  network: StreamNetwork,
  signal: AbortSignal,
  ready: () => void,
): AsyncGenerator<T, undefined, undefined> {
  let wasInPlace = false;
  const nextNode = new NextNode();
  let failingSince_ms: number | undefined;
  while (!signal.aborted) {
    const address = nextNode.of(network.addressesFor(route));
    const began_ms = performance.now();
    let lost: GomsgError;
    let isLost = false;
    // While the user is at an item nothing is read, and this is the first to know.
    const onLost = (error: GomsgError) => {
      isLost = true;
      plan.lost?.(error);
    };
    try {
      const request = face.encode(await plan.request());
      for await (const bytes of network.channels.read(address, face.path, request, signal, onLost)) {
        const response = decoded(face, bytes);
        nextNode.stands();
        failingSince_ms = undefined;
        wasInPlace = true;
        ready();
        for await (const item of plan.take(response)) {
          if (isLost && plan.dropsWhenLost) break;
          yield item;
        }
      }
      if (signal.aborted) return;
      lost = gomsgError({ code: GrpcCode.UNAVAILABLE, message: `${address}: the server ended the stream` });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof GomsgError)) throw error;
      lost = error;
    }
    const isMendedByPlan = plan.lost?.(lost) ?? false;
    if (!isMended(lost) && !isMendedByPlan) throw ofMethod(lost, face.name);
    failingSince_ms ??= began_ms;
    if (!wasInPlace && performance.now() - failingSince_ms >= network.unreachableTimeout_ms) {
      throw unreachable(lost, face.name);
    }
    network.failed(address, lost, route);
    nextNode.failed(lost);
    const backoff_ms = nextNode.isFirstHint ? 0 : backoffDelay_ms(nextNode.failures - 1, network.backoff);
    const delay_ms = Math.max(backoff_ms, lost.retryAfter_ms ?? 0);
    network.retried(face.name, lost, delay_ms);
    await pause(delay_ms, signal);
  }
}

function isMended(error: GomsgError): boolean {
  return error.reason === ErrorReason.UNSPECIFIED ? !FINAL_CODES.has(error.code) : error.retryable;
}

function decoded<I extends DescMessage, O extends DescMessage>(face: StreamFace<I, O>, bytes: Uint8Array) {
  try {
    return face.decode(bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw gomsgError({
      code: GrpcCode.UNIMPLEMENTED,
      message: `a message of the stream is malformed: ${why}`,
      cause,
    });
  }
}

/** The same error, saying which method failed. */
function ofMethod(error: GomsgError, method: string): GomsgError {
  if (error.method !== '') return error;
  const { message, code, reason, subject, retryAfter_ms, leader, topologyEpoch } = error;
  const { currentVersion, oldestAvailable, newestAvailable } = error;
  return gomsgError({
    ...{ method, message, code, reason, subject, retryAfter_ms, leader, topologyEpoch },
    ...{ currentVersion, oldestAvailable, newestAvailable },
    cause: error,
  });
}

function unreachable(error: GomsgError, method: string): GomsgError {
  return gomsgError({
    reason: ErrorReason.UNREACHABLE,
    method,
    message: `no node can be reached: ${error.message}`,
    cause: error,
  });
}

/** Resolves after a while, or when the signal is aborted. */
function pause(delay_ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, delay_ms);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
}
