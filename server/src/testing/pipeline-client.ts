/** A client of `PipelineService/Execute` on the generated code: what is sent is what the test says, retries included. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { Client, ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import {
  type PipelineCall,
  PipelineCallSchema,
  type PipelineResult,
  PipelineService,
  PipelineServiceExecuteRequestSchema,
  PipelineServiceExecuteResponseSchema,
} from '../gen/gomsg/v1/pipeline_pb.js';
import { methodNumber } from '../services/decode.ts';
import { CallError, fromPipelineError, fromServiceError } from './call-error.ts';
import { encode, passBytes, pathOf, rawClient } from './node-client.ts';

/** gRPC's UNAVAILABLE: what a call gets whose connection is gone. */
const UNAVAILABLE = 14;

/** Place of a call in a session. */
export interface SessionPlace {
  readonly sessionId: bigint;
  readonly sequence: number;
  readonly answeredBelow: number;
  readonly retry: boolean;
}

interface Waiting {
  answered(result: PipelineResult): void;
  lost(error: CallError): void;
}

export class PipelineClient {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  readonly #topologyEpoch: bigint;
  readonly #waiting = new Map<number, Waiting>();
  /** Calls of this turn, by session. */
  readonly #outgoing = new Map<bigint, { answeredBelow: number; readonly calls: PipelineCall[] }>();
  #lastId = 0;
  #lost: CallError | undefined;
  /** Resolves with why the stream ended. */
  readonly ended: Promise<CallError>;

  /** @param topologyEpoch that its calls are said to be routed by; 0 = they are not */
  constructor(address: string, topologyEpoch = 0n) {
    this.#topologyEpoch = topologyEpoch;
    this.#client = rawClient(address);
    this.#stream = this.#client.makeBidiStreamRequest(
      pathOf(PipelineService.method.execute),
      passBytes,
      passBytes,
    );
    const { promise, resolve } = Promise.withResolvers<CallError>();
    this.ended = promise;
    const lose = (error: CallError) => {
      this.#lost ??= error;
      resolve(this.#lost);
      for (const waiting of this.#waiting.values()) waiting.lost(this.#lost);
      this.#waiting.clear();
    };
    this.#stream.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#stream.on('error', (error: ServiceError) => lose(fromServiceError(error)));
    this.#stream.on('end', () => lose(new CallError(UNAVAILABLE, 'the pipeline ended', undefined)));
  }

  /** Sends a call with all others of this turn. @throws CallError */
  call<I extends DescMessage, O extends DescMessage>(
    desc: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    place?: SessionPlace,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) {
        reject(this.#lost);
        return;
      }
      const callId = ++this.#lastId;
      this.#waiting.set(callId, {
        answered: ({ payload, error }) => {
          if (error === undefined) resolve(fromBinary(desc.output, payload));
          else reject(fromPipelineError(error));
        },
        lost: reject,
      });
      const sessionId = place?.sessionId ?? 0n;
      if (this.#outgoing.size === 0) queueMicrotask(() => this.#flush());
      const frame = this.#outgoing.get(sessionId) ?? { answeredBelow: 0, calls: [] };
      this.#outgoing.set(sessionId, frame);
      frame.answeredBelow = Math.max(frame.answeredBelow, place?.answeredBelow ?? 0);
      frame.calls.push(
        create(PipelineCallSchema, {
          callId,
          method: methodNumber(desc),
          payload: encode(desc.input, request),
          sequence: BigInt(place?.sequence ?? 0),
          retry: place?.retry ?? false,
        }),
      );
    });
  }

  /** Drops the connection; calls that are not answered fail. */
  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #flush(): void {
    for (const [sessionId, { answeredBelow, calls }] of this.#outgoing) {
      this.#stream.write(
        encode(PipelineServiceExecuteRequestSchema, {
          sessionId,
          answeredBelow: BigInt(answeredBelow),
          calls,
          topologyEpoch: this.#topologyEpoch,
        }),
      );
    }
    this.#outgoing.clear();
  }

  #take(bytes: Buffer): void {
    for (const result of fromBinary(PipelineServiceExecuteResponseSchema, bytes).results) {
      const waiting = this.#waiting.get(result.callId);
      this.#waiting.delete(result.callId);
      waiting?.answered(result);
    }
  }
}
