import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Reply, UnaryMethod } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import { type ReportBug, toFailure } from './failures.ts';
import { GrpcCallContext } from './grpc-context.ts';
import { asBuffer, toGrpcStatus } from './grpc-status.ts';
import { methodPath } from './unknown-method.ts';

/** Answers a unary call through grpc-js's callback. A handler that fails after it answered changes nothing. */
class GrpcReply implements Reply {
  readonly #send: sendUnaryData<Buffer>;
  #answered = false;

  constructor(send: sendUnaryData<Buffer>) {
    this.#send = send;
  }

  ok(response: Uint8Array): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#send(null, asBuffer(response));
  }

  fail(error: Failure): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#send(toGrpcStatus(error));
  }
}

/** A unary method as grpc-js calls it. */
export function grpcUnary(method: UnaryMethod, report: ReportBug) {
  const path = methodPath(method);
  return (call: ServerUnaryCall<Buffer, Buffer>, send: sendUnaryData<Buffer>): void => {
    const reply = new GrpcReply(send);
    try {
      method.handle(call.request, new GrpcCallContext(call), reply);
    } catch (error) {
      reply.fail(toFailure(error, path, report));
    }
  };
}
