/** The candidate's side of admission: asks the members it was told of, and those they name, until one admits it. */
import type { TlsOptions } from '../../transport/port.ts';
import { Backoff } from './backoff.ts';
import { dialHandshake, LinkRefusedError, lateRefusal, RefusalReason, StreamPurpose } from './handshake.ts';
import {
  type Admission,
  decodeJoinAnswer,
  encodeJoinRequest,
  type JoinAnswer,
  type JoinRequest,
} from './join.ts';
import { LINK_DEFAULTS, type LinkLimits } from './options.ts';
import { closeAfterRefusal } from './outbound-link.ts';
import { PeerChannel } from './peer-channel.ts';

export interface JoinOptions {
  /** `host:port` of members, any of them. */
  readonly addresses: readonly string[];
  readonly secret: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly request: JoinRequest;
  /** Gives up. Without it the candidate asks for ever while nobody can be reached. */
  readonly signal?: AbortSignal;
  /** Told after every round of addresses in which nobody could decide, with what each said. */
  readonly onRetry?: (problems: readonly string[], wait_ms: number) => void;
  readonly limits?: Partial<LinkLimits>;
  /** From 0 to 1, for jitter. Default: `Math.random`. */
  readonly random?: () => number;
}

/** What keeps a candidate out. All but `aborted` are settled: asking again gives the same. */
export type JoinProblem =
  | 'wrong-secret'
  | 'version'
  | 'id-in-use'
  /** The address answers, and not as a member of a cluster. */
  | 'not-a-cluster'
  /** The signal was aborted before anybody could decide. */
  | 'aborted';

export class JoinError extends Error {
  override readonly name = 'JoinError';
  readonly problem: JoinProblem;

  constructor(problem: JoinProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/** Answers of the kind "ask there" that are followed in one round. */
const REDIRECTS_MAX = 8;

/** gRPC code of an unknown method or service. */
const UNIMPLEMENTED = 12;

/** Nobody could decide at this address, for now. */
class NotNowError extends Error {
  override readonly name = 'NotNowError';
}

/**
 * Asks until admitted. Addresses that cannot be reached, and members that cannot decide at the moment, are asked again,
 * with growing pauses.
 *
 * @throws JoinError
 */
export async function joinCluster(options: JoinOptions): Promise<Admission> {
  const limits: LinkLimits = { ...LINK_DEFAULTS, ...options.limits };
  const random = options.random ?? Math.random;
  const backoff = new Backoff(limits.reconnectMin_ms, limits.reconnectMax_ms, random);
  for (;;) {
    const problems: string[] = [];
    const admission = await askAll(options, limits, problems);
    if (admission !== undefined) return admission;
    const wait_ms = backoff.next_ms();
    options.onRetry?.(problems, wait_ms);
    await pause(wait_ms, options.signal, problems);
  }
}

async function askAll(
  options: JoinOptions,
  limits: LinkLimits,
  problems: string[],
): Promise<Admission | undefined> {
  const waiting = [...options.addresses];
  const asked = new Set<string>();
  let redirects = 0;
  for (let address = waiting.shift(); address !== undefined; address = waiting.shift()) {
    if (asked.has(address)) continue;
    asked.add(address);
    try {
      const answer = await ask(address, options, limits);
      if (answer.kind === 'admitted') return answer.admission;
      if (answer.kind === 'refused') throw refusal(address, answer);
      problems.push(`${address}: ask ${answer.nodeId} at ${answer.address}`);
      if (++redirects <= REDIRECTS_MAX) waiting.unshift(answer.address);
    } catch (error) {
      if (!(error instanceof NotNowError)) throw error;
      problems.push(`${address}: ${error.message}`);
    }
  }
  return undefined;
}

function refusal(address: string, { reason, message }: JoinAnswer & { kind: 'refused' }): Error {
  if (reason === 'unavailable') return new NotNowError(message);
  return new JoinError(reason, `${address} refused: ${message}`);
}

/** Asks one member once. @throws JoinError, NotNowError */
async function ask(address: string, options: JoinOptions, limits: LinkLimits): Promise<JoinAnswer> {
  const { request, secret, tls, signal } = options;
  if (signal?.aborted) throw aborted([]);
  const channel = new PeerChannel(address, tls, limits);
  const stream = channel.open('join');
  const { promise, resolve, reject } = Promise.withResolvers<JoinAnswer>();
  const timer = setTimeout(
    () => reject(new NotNowError(`no answer within ${limits.handshakeTimeout_ms} ms`)),
    limits.handshakeTimeout_ms,
  );
  const abort = (): void => reject(aborted([]));
  signal?.addEventListener('abort', abort);
  dialHandshake(
    stream,
    {
      self: { number: 0, nodeId: request.nodeId, clusterId: '', version: request.version },
      secret,
      purpose: StreamPurpose.JOIN,
      target: undefined,
      timeout_ms: limits.handshakeTimeout_ms,
    },
    (outcome) => {
      if (outcome instanceof Error) {
        reject(problemOf(address, outcome));
        return;
      }
      stream.listen({
        message: (bytes) => {
          const refused = lateRefusal(bytes);
          if (refused !== undefined) {
            reject(problemOf(address, refused));
            return;
          }
          try {
            resolve(decodeJoinAnswer(bytes));
          } catch (error) {
            reject(new JoinError('not-a-cluster', `${address} sent garbage: ${String(error)}`));
          }
        },
        ended: () => {},
        drained: () => {},
        closed: (why) => reject(new NotNowError(why?.message ?? 'it closed the connection')),
      });
      stream.write(encodeJoinRequest(request));
    },
  );
  let failure: Error | undefined;
  try {
    return await promise;
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    const { cause = failure } = failure ?? {};
    closeAfterRefusal(channel, stream, cause instanceof Error ? cause : new NotNowError('answered'));
  }
}

/** Why a stream to a member could not be opened, as a problem of the candidate. */
function problemOf(address: string, why: Error): Error {
  if (why instanceof LinkRefusedError) {
    const settled: Partial<Record<RefusalReason, JoinProblem>> = {
      [RefusalReason.SECRET]: 'wrong-secret',
      [RefusalReason.VERSION]: 'version',
      [RefusalReason.MALFORMED]: 'not-a-cluster',
    };
    const problem = settled[why.reason];
    const error =
      problem === undefined
        ? new NotNowError(why.message)
        : new JoinError(problem, `${address} refused: ${why.message}`);
    error.cause = why;
    return error;
  }
  if (codeOf(why.cause) === UNIMPLEMENTED) {
    return new JoinError(
      'not-a-cluster',
      `${address} is not a member of a cluster: start it with --cluster, and one node with --bootstrap`,
    );
  }
  return new NotNowError(why.message);
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function aborted(problems: readonly string[]): JoinError {
  const seen = problems.length === 0 ? '' : `: ${problems.join('; ')}`;
  return new JoinError('aborted', `nobody admitted this node in time${seen}`);
}

function pause(wait_ms: number, signal: AbortSignal | undefined, problems: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(aborted(problems));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, wait_ms);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
  });
}
