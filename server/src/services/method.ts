/**
 * The face between the transports and the services.
 *
 * Requests enter and responses leave as protobuf bytes: the pipeline and gRPC carry bytes anyway, a write's
 * bytes go into the log as they came, and a stored result goes out as it is. Only the JSON and Connect paths
 * re-encode, and they are not the hot ones. Unary calls answer through a callback, not a promise: a batch of a
 * thousand calls would otherwise pay for a thousand promise chains.
 */
import type { DescMethod } from '@bufbuild/protobuf';
import type { Failure } from '../state/failure.ts';

/** Where a call came in. */
export type Protocol = 'grpc' | 'grpc-web' | 'connect' | 'pipeline';

/** Names a call inside a session, so that a retry of it is applied once. */
export interface SessionCall {
  /** Session id as handed out by `OpenSession`. */
  readonly sessionId: bigint;
  /** Position of the call in the session, from 1, never reused. */
  readonly sequence: number;
  /** Every call of the session below this sequence has been answered and its result may be forgotten. */
  readonly answeredBelow: number;
  /** The client sent the call before. */
  readonly retry: boolean;
}

/** What a handler knows of the call beside its request. */
export interface CallContext {
  readonly protocol: Protocol;
  /** Remote address as `host:port`, for logs. */
  readonly peer: string;
  /** Wall-clock milliseconds after which the caller no longer waits; undefined = the caller set no deadline. */
  readonly deadline_ms: number | undefined;
  /** Aborted when the caller cancels, its connection ends, or the server drains past its timeout. */
  readonly signal: AbortSignal;
  /** A request header (lower-case name), first value; undefined when absent. */
  header(name: string): string | undefined;
  readonly session: SessionCall | undefined;
  /**
   * The caller knows other nodes, and has not sent the call before: a node that cannot find the call's leader had better
   * say so at once than keep the call.
   */
  readonly canGoElsewhere?: boolean | undefined;
  /** Ids of the groups that the call is about, where a cluster has split it up; undefined = all that it names. */
  readonly groups?: ReadonlySet<number> | undefined;
}

/** Takes the one answer of a unary call. Exactly one of the two is called, once. */
export interface Reply {
  /** `response` is an encoded response message; the callee keeps no reference it will write to. */
  ok(response: Uint8Array): void;
  fail(error: Failure): void;
}

export interface UnaryMethod {
  readonly kind: 'unary';
  readonly desc: DescMethod & { methodKind: 'unary' };
  /** `(gomsg.sdk.v1.method).number` of the rpc: how the pipeline and the log name it. */
  readonly number: number;
  /** Never throws: every failure goes through `reply.fail`. */
  handle(request: Uint8Array, context: CallContext, reply: Reply): void;
}

export interface ServerStreamingMethod {
  readonly kind: 'server_streaming';
  readonly desc: DescMethod & { methodKind: 'server_streaming' };
  readonly number: number;
  /**
   * Encoded response messages, pulled one at a time: the transport pulls the next only when the connection took
   * the last, so a reader that stops reading stops the producer. Throws `GomsgError` (errors.ts) (also from the first pull).
   * `return()` is called when the caller goes away.
   */
  handle(request: Uint8Array, context: CallContext): AsyncIterable<Uint8Array>;
}

/** One side of a bidirectional stream of encoded messages, as the transport gives it to a handler. */
export interface DuplexStream {
  /** Encoded request messages. The transport stops reading the connection after `pause()` until `resume()`. */
  onMessage(listener: (message: Uint8Array) => void): void;
  /** The caller half-closed: no further message comes; answers may still be written. */
  onEnd(listener: () => void): void;
  /**
   * The port drains: nothing new is to be taken, and the stream to be ended once what was taken is answered. A handler that
   * does not listen sees a half-close instead, and gets no further message.
   */
  onDraining(listener: () => void): void;
  /** The stream is gone, cleanly or not; nothing can be written any more. Called exactly once. */
  onClose(listener: () => void): void;
  pause(): void;
  resume(): void;
  /** False when the connection is backed up: hold further writes until `onDrain`. */
  write(message: Uint8Array): boolean;
  onDrain(listener: () => void): void;
  /** Ends the stream; with an error the caller sees its status. */
  end(error?: Failure): void;
}

export interface BidiStreamingMethod {
  readonly kind: 'bidi_streaming';
  readonly desc: DescMethod & { methodKind: 'bidi_streaming' };
  readonly number: number;
  /** Bytes that a caller may send ahead of what `handle` has read, over HTTP/2. Default: what the port gives all. */
  readonly receiveWindowBytes?: number;
  handle(stream: DuplexStream, context: CallContext): void;
}

export type Method = UnaryMethod | ServerStreamingMethod | BidiStreamingMethod;
