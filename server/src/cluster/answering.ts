/** What this node answers to calls that other nodes pass on to it: its own services do, or the group that a command is for. */
import { ErrorReason, GomsgError } from '../services/errors.ts';
import type { Proposal } from '../services/groups.ts';
import type { Method, Reply, ServerStreamingMethod, UnaryMethod } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import { partOf } from './gather/part.ts';
import type { ReceivedCall } from './links/forwarded-call.ts';
import { proposalGroup } from './routed-groups.ts';

export class Answering {
  readonly #services = new Map<number, UnaryMethod | ServerStreamingMethod>();
  readonly #replica: (group: number) => { submit(proposal: Proposal): void } | undefined;

  constructor(replica: (group: number) => { submit(proposal: Proposal): void } | undefined) {
    this.#replica = replica;
  }

  /** The methods that other nodes may ask for. */
  serve(services: readonly Method[]): void {
    for (const method of services) {
      if (method.kind !== 'bidi_streaming') this.#services.set(method.number, method);
    }
  }

  call(call: ReceivedCall, reply: Reply): void {
    const group = proposalGroup(call);
    if (group !== undefined) {
      const { method, payload, session } = call;
      const replica = this.#replica(group);
      if (replica === undefined) reply.fail(notHere(group));
      else replica.submit({ method, payload, request: undefined, session, reply });
      return;
    }
    const method = this.#services.get(call.method);
    if (method?.kind === 'unary') method.handle(call.payload, contextOf(call), reply);
    else reply.fail(unknownMethod(call.method));
  }

  /** @throws GomsgError METHOD_NOT_FOUND */
  stream(call: ReceivedCall): AsyncIterable<Uint8Array> {
    const method = this.#services.get(call.method);
    if (method?.kind === 'server_streaming') return method.handle(call.payload, contextOf(call));
    throw new GomsgError(unknownMethod(call.method));
  }
}

function contextOf(call: ReceivedCall) {
  const { from, session, timeout_ms, headers } = call;
  return {
    protocol: 'grpc' as const,
    peer: `node ${from}`,
    deadline_ms: timeout_ms === undefined ? undefined : Date.now() + timeout_ms,
    get signal() {
      return call.signal;
    },
    header: (name: string) => headers?.[name],
    session,
    groups: partOf(headers),
  };
}

function notHere(group: number): Failure {
  return { reason: ErrorReason.NOT_LEADER, message: `group ${group} has no replica on this node` };
}

function unknownMethod(number: number): Failure {
  return {
    reason: ErrorReason.METHOD_NOT_FOUND,
    message: `method ${number} was passed on to a node that does not have it: the nodes have different versions`,
  };
}
