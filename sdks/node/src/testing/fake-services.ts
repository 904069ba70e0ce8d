/** A real gRPC server on a free port whose services answer as a test says. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type CallContext, createServer, type Server, ServerError } from 'nice-grpc';
import { ErrorDetailSchema } from '../gen/gomsg/v1/common_pb.js';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import { serviceDefinition } from '../service-definition.ts';

type Handler = (request: never, context: CallContext) => unknown;

export interface FakeServices extends AsyncDisposable {
  readonly address: string;
  readonly server: Server;
}

/** Serves the key/value rpcs that `handlers` has; the others answer UNIMPLEMENTED. */
export async function serveFakeKv(handlers: Record<string, Handler>, address = '127.0.0.1:0') {
  const server = createServer();
  const definition = serviceDefinition(KVService);
  const methods = Object.fromEntries(Object.entries(definition.methods).filter(([name]) => name in handlers));
  server.add({ ...definition, methods }, handlers as never);
  const port = await server.listen(address);
  return {
    address: `127.0.0.1:${port}`,
    server,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  } satisfies FakeServices;
}

/** Fails a call as gomsg does: the status, and its detail in a trailer. */
export function failWith(
  context: CallContext,
  code: number,
  message: string,
  detail: MessageInitShape<typeof ErrorDetailSchema>,
): never {
  context.trailer.set('grpc-status-details-bin', statusTrailer(code, message, detail));
  throw new ServerError(code, message);
}

/** An encoded google.rpc.Status with a detail of another type before that of gomsg. */
export function statusTrailer(
  code: number,
  message: string,
  detail: MessageInitShape<typeof ErrorDetailSchema>,
): Uint8Array {
  const any = (typeUrl: string, value: Uint8Array) =>
    new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .string(typeUrl)
      .tag(2, WireType.LengthDelimited)
      .bytes(value)
      .finish();
  const bytes = toBinary(ErrorDetailSchema, create(ErrorDetailSchema, detail));
  return new BinaryWriter()
    .tag(1, WireType.Varint)
    .int32(code)
    .tag(2, WireType.LengthDelimited)
    .string(message)
    .tag(3, WireType.LengthDelimited)
    .bytes(any('type.googleapis.com/google.rpc.RequestInfo', new Uint8Array([10, 1, 97])))
    .tag(3, WireType.LengthDelimited)
    .bytes(any('type.googleapis.com/gomsg.v1.ErrorDetail', bytes))
    .finish();
}
