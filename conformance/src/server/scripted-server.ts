/**
 * A server that fails as a case says: for reasons that a real one gives only in trouble, such as a full disk or a bug of
 * its own. What is not scripted is answered with an empty response.
 */
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  ClusterService,
  ClusterServiceGetTopologyResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/cluster_pb.js';
import {
  type PipelineCall,
  type PipelineResultSchema,
  PipelineService,
  type PipelineServiceExecuteRequest,
  PipelineServiceExecuteRequestSchema,
  PipelineServiceExecuteResponseSchema,
  PipelineServiceOpenSessionResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/pipeline_pb.js';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { CATALOGUE } from '../catalogue.ts';
import type { Target } from '../net/link.ts';
import { rpcOfFace, rpcOfNumber } from './rpcs.ts';
import type { ServerFixture } from './server-fixture.ts';

/** A failure to give to so many calls of one method. */
export interface ScriptedAnswer {
  /** `kv.get`. */
  readonly method: string;
  readonly reason: string;
  readonly subject: string;
  readonly retryAfter_ms: number | undefined;
  readonly times: number;
}

type Result = MessageInitShape<typeof PipelineResultSchema>;
type Stream = ServerDuplexStream<PipelineServiceExecuteRequest, Uint8Array>;

const HOST = '127.0.0.1';

export class ScriptedServer implements ServerFixture {
  readonly kind = 'scripted';
  /** Its topology names one node only, which is where the client is. */
  readonly advertised = [];
  readonly #server = new Server();
  readonly #script = new Map<number, { answer: ScriptedAnswer; left: number }>();
  #target: Target | undefined;
  #sessions = 0n;

  static async start(): Promise<ScriptedServer> {
    const scripted = new ScriptedServer();
    await scripted.#listen();
    return scripted;
  }

  get nodes(): readonly (Target | undefined)[] {
    return [this.#target];
  }

  /** Answers the next calls of a method so, before what was scripted for it earlier. */
  answer(answer: ScriptedAnswer): void {
    const rpc = rpcOfFace(answer.method);
    if (rpc === undefined) throw new Error(`no rpc is called by ${answer.method}`);
    this.#script.set(rpc.number, { answer, left: answer.times });
  }

  async remove(): Promise<void> {
    this.#target = undefined;
    this.#server.forceShutdown();
  }

  #listen(): Promise<void> {
    this.#server.addService(
      {
        execute: {
          path: `/${PipelineService.typeName}/Execute`,
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
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`${HOST}:0`, ServerCredentials.createInsecure(), (error, port) => {
        if (error) return reject(error);
        this.#target = { host: HOST, port };
        resolve();
      });
    });
  }

  #serve(stream: Stream): void {
    stream.on('data', ({ calls }: PipelineServiceExecuteRequest) => {
      const results = calls.map((call) => this.#result(call));
      stream.write(
        toBinary(
          PipelineServiceExecuteResponseSchema,
          create(PipelineServiceExecuteResponseSchema, { results }),
        ),
      );
    });
    stream.on('end', () => stream.end());
    stream.on('error', () => {}); // The client left.
  }

  #result({ callId, method }: PipelineCall): Result {
    const scripted = this.#script.get(method);
    if (scripted !== undefined && scripted.left > 0) {
      scripted.left -= 1;
      return { callId, error: failure(scripted.answer) };
    }
    return { callId, payload: this.#plainAnswer(method) };
  }

  #plainAnswer(method: number): Uint8Array {
    const desc = rpcOfNumber(method)?.desc;
    if (desc === undefined) throw new Error(`no rpc has the number ${method}`);
    if (desc === PipelineService.method.openSession) {
      this.#sessions += 1n;
      return encoded(PipelineServiceOpenSessionResponseSchema, {
        sessionId: this.#sessions,
        idleTimeout: durationFromMs(3_600_000),
      });
    }
    if (desc === ClusterService.method.getTopology) {
      const node = { nodeId: 'node1', address: `${HOST}:${this.#target?.port ?? 0}`, leader: true };
      return encoded(ClusterServiceGetTopologyResponseSchema, { epoch: 1n, nodes: [node] });
    }
    return encoded(desc.output, {});
  }
}

function encoded<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Uint8Array {
  return toBinary(schema, create(schema, init));
}

function failure({ reason, subject, retryAfter_ms }: ScriptedAnswer): NonNullable<Result['error']> {
  const { number, code } = CATALOGUE.get(reason)!;
  return {
    code,
    message: `${reason} as the script says`,
    detail: {
      reason: number,
      subject,
      ...(retryAfter_ms === undefined ? {} : { retryAfter: durationFromMs(retryAfter_ms) }),
    },
  };
}
