/**
 * A real gRPC server on a free port that answers `PipelineService/Execute`: by default as a key/value store with
 * sessions would, otherwise as a test says. Its frames are read and written by the generated code.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { keptPort } from '../../../../server/src/testing/ports.ts';
import { ErrorReason } from '../errors.ts';
import {
  KVServiceGetRequestSchema,
  KVServiceGetResponseSchema,
  KVServiceIncrementRequestSchema,
  KVServiceIncrementResponseSchema,
} from '../gen/gomsg/v1/kv_pb.js';
import {
  type PipelineCall,
  type PipelineResultSchema,
  PipelineServiceCloseSessionRequestSchema,
  type PipelineServiceExecuteRequest,
  PipelineServiceExecuteRequestSchema,
  PipelineServiceExecuteResponseSchema,
  PipelineServiceOpenSessionResponseSchema,
} from '../gen/gomsg/v1/pipeline_pb.js';

type Result = Omit<MessageInitShape<typeof PipelineResultSchema>, 'callId' | '$typeName'>;
type Stream = ServerDuplexStream<PipelineServiceExecuteRequest, Uint8Array>;

/** What to do with a call: answer it so, `'hold'` it for `release`, or `undefined` for the default answer. */
export type Rule = (call: PipelineCall, frame: PipelineServiceExecuteRequest) => Result | 'hold' | undefined;

export const methodNumbers = { set: 101, get: 102, increment: 105, openSession: 502, closeSession: 503 };

export class FakePipeline {
  readonly frames: PipelineServiceExecuteRequest[] = [];
  /** Counters by key, as `Increment` leaves them. */
  readonly counters = new Map<string, bigint>();
  readonly openedSessions: bigint[] = [];
  readonly closedSessions: bigint[] = [];
  rule: Rule = () => undefined;
  /** Calls taken, and run through the rule, so far. */
  calls: PipelineCall[] = [];
  streams = new Set<Stream>();
  port = 0;
  readonly #answers = new Map<string, Result>();
  #held: (() => void)[] = [];
  #waiters: { done: () => boolean; resolve: () => void }[] = [];
  #server: Server | undefined;

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get held(): number {
    return this.#held.length;
  }

  async start(): Promise<void> {
    const server = new Server({ 'grpc.max_receive_message_length': 64 * 1024 * 1024 });
    server.addService(
      {
        execute: {
          path: '/gomsg.v1.PipelineService/Execute',
          requestStream: true,
          responseStream: true,
          requestSerialize: (request: PipelineServiceExecuteRequest) =>
            Buffer.from(toBinary(PipelineServiceExecuteRequestSchema, request)),
          requestDeserialize: (bytes: Buffer) => fromBinary(PipelineServiceExecuteRequestSchema, bytes),
          responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      { execute: (stream: Stream) => this.#serve(stream) },
    );
    if (this.port === 0) this.port = await keptPort();
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
    this.#server = server;
  }

  /** Breaks every connection and stops listening; `start` takes the same port again. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#held = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
  }

  /** Ends every stream with a status. */
  endStreams(code: number, details: string): void {
    for (const stream of this.streams) {
      stream.emit(
        'error',
        Object.assign(new Error(details), { code, details, metadata: new Metadata() }) satisfies ServiceError,
      );
    }
  }

  /** Keeps `value` as the answer to a write of a session, as if it had been applied. */
  remember({ sessionId }: PipelineServiceExecuteRequest, { sequence }: PipelineCall, value: bigint): void {
    this.#answers.set(`${sessionId}/${sequence}`, incremented(value));
  }

  /** Sends bytes that need not be a frame. */
  sendRaw(bytes: Uint8Array): void {
    for (const stream of this.streams) stream.write(bytes);
  }

  /** Answers the held calls, in the order in which they came. */
  release(count = this.#held.length): void {
    for (const answer of this.#held.splice(0, count)) answer();
  }

  /** Waits until a condition holds; asked again after everything that comes in. */
  async until(done: () => boolean): Promise<void> {
    if (done()) return;
    await new Promise<void>((resolve) => this.#waiters.push({ done, resolve }));
  }

  #changed(): void {
    this.#waiters = this.#waiters.filter(({ done, resolve }) => {
      if (!done()) return true;
      resolve();
      return false;
    });
  }

  #serve(stream: Stream): void {
    this.streams.add(stream);
    this.#changed();
    stream.on('data', (frame: PipelineServiceExecuteRequest) => {
      this.frames.push(frame);
      const results: MessageInitShape<typeof PipelineResultSchema>[] = [];
      for (const call of frame.calls) {
        this.calls.push(call);
        const outcome = this.rule(call, frame);
        if (outcome === 'hold') {
          this.#held.push(() => this.#write(stream, [{ callId: call.callId, ...this.#answer(call, frame) }]));
        } else results.push({ callId: call.callId, ...(outcome ?? this.#answer(call, frame)) });
      }
      if (results.length > 0) this.#write(stream, results);
      this.#changed();
    });
    stream.on('end', () => {
      this.streams.delete(stream);
      stream.end();
      this.#changed();
    });
    const gone = () => {
      this.streams.delete(stream);
      this.#changed();
    };
    stream.on('cancelled', gone);
    stream.on('error', gone);
  }

  #write(stream: Stream, results: MessageInitShape<typeof PipelineResultSchema>[]): void {
    stream.write(
      toBinary(
        PipelineServiceExecuteResponseSchema,
        create(PipelineServiceExecuteResponseSchema, { results }),
      ),
    );
  }

  /** As a server answers: a write of a session is applied once. */
  #answer(call: PipelineCall, frame: PipelineServiceExecuteRequest): Result {
    if (call.sequence === 0n) return this.#apply(call);
    const name = `${frame.sessionId}/${call.sequence}`;
    const result = this.#answers.get(name) ?? this.#apply(call);
    this.#answers.set(name, result);
    return result;
  }

  #apply(call: PipelineCall): Result {
    switch (call.method) {
      case methodNumbers.openSession: {
        const sessionId = BigInt(this.openedSessions.length + 1) + (1n << 60n);
        this.openedSessions.push(sessionId);
        return {
          payload: toBinary(
            PipelineServiceOpenSessionResponseSchema,
            create(PipelineServiceOpenSessionResponseSchema, { sessionId, idleTimeout: { seconds: 3600n } }),
          ),
        };
      }
      case methodNumbers.closeSession:
        this.closedSessions.push(
          fromBinary(PipelineServiceCloseSessionRequestSchema, call.payload).sessionId,
        );
        return {};
      case methodNumbers.increment: {
        const { key, delta = 1n } = fromBinary(KVServiceIncrementRequestSchema, call.payload);
        const value = (this.counters.get(key) ?? 0n) + delta;
        this.counters.set(key, value);
        return incremented(value);
      }
      case methodNumbers.get: {
        const { key } = fromBinary(KVServiceGetRequestSchema, call.payload);
        return {
          payload: toBinary(
            KVServiceGetResponseSchema,
            create(KVServiceGetResponseSchema, {
              value: new TextEncoder().encode(`value of ${key}`),
              version: 1n,
            }),
          ),
        };
      }
      default:
        return failure(12, ErrorReason.METHOD_NOT_FOUND, `no method ${call.method}`);
    }
  }
}

function incremented(value: bigint): Result {
  const response = create(KVServiceIncrementResponseSchema, { value });
  return { payload: toBinary(KVServiceIncrementResponseSchema, response) };
}

export function failure(
  code: number,
  reason: ErrorReason,
  message: string,
  detail: { subject?: string; retryAfter?: { nanos: number } } = {},
): Result {
  return { error: { code, message, detail: { reason, ...detail } } };
}

export async function serveFakePipeline(): Promise<FakePipeline> {
  const fake = new FakePipeline();
  await fake.start();
  return fake;
}
