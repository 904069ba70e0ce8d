import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { CallContext, Protocol, SessionCall } from '../services/method.ts';
import { readSession } from './session-headers.ts';

/** Where the remote address of a request travels, which connect-es itself does not know. */
export const peerKey = createContextKey('unknown', { description: 'remote address as host:port' });

/** The context of a Connect or gRPC-Web call. */
export class ConnectCallContext implements CallContext {
  readonly protocol: Protocol;
  readonly peer: string;
  readonly deadline_ms: number | undefined;
  readonly signal: AbortSignal;
  readonly session: SessionCall | undefined;
  readonly #headers: Headers;

  /** @throws GomsgError INVALID_REQUEST when the session headers are malformed. */
  constructor(context: HandlerContext) {
    this.protocol = context.protocolName === 'grpc-web' ? 'grpc-web' : 'connect';
    this.peer = context.values.get(peerKey);
    const timeout_ms = context.timeoutMs();
    this.deadline_ms = timeout_ms === undefined ? undefined : Date.now() + timeout_ms;
    this.signal = context.signal;
    this.#headers = context.requestHeader;
    this.session = readSession((name) => this.header(name));
  }

  header(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined;
  }
}
