/**
 * protobuf-es services in the shape in which ts-proto generates them, which nice-grpc takes.
 *
 * Why that shape: a definition whose methods carry a `path` is mistaken for one of grpc-js, which copies every
 * message through `Buffer.from` and drops the idempotency level.
 */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';

interface MessageType {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
  fromPartial(init: unknown): Message;
}

/** A method as ts-proto writes it. */
export interface MethodDefinition {
  readonly name: string;
  readonly requestType: MessageType;
  readonly requestStream: boolean;
  readonly responseType: MessageType;
  readonly responseStream: boolean;
  readonly options: { idempotencyLevel?: 'IDEMPOTENT' | 'NO_SIDE_EFFECTS' };
}

/** A service as ts-proto writes it; methods go by their lower-camel names. */
export interface ServiceDefinition {
  readonly name: string;
  readonly fullName: string;
  readonly methods: { [method: string]: MethodDefinition };
}

/** The definition that nice-grpc makes clients (and servers) of a service from. */
export function serviceDefinition(service: DescService): ServiceDefinition {
  const methods: { [method: string]: MethodDefinition } = {};
  for (const method of service.methods) methods[method.localName] = methodDefinition(method);
  return { name: service.name, fullName: service.typeName, methods };
}

function methodDefinition(method: DescMethod): MethodDefinition {
  const { methodKind } = method;
  return {
    name: method.name,
    requestType: messageType(method.input),
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseType: messageType(method.output),
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    options: idempotency(method),
  };
}

function idempotency({ idempotency }: DescMethod): MethodDefinition['options'] {
  switch (idempotency) {
    case MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS:
      return { idempotencyLevel: 'NO_SIDE_EFFECTS' };
    case MethodOptions_IdempotencyLevel.IDEMPOTENT:
      return { idempotencyLevel: 'IDEMPOTENT' };
    default:
      return {};
  }
}

function messageType(schema: DescMessage): MessageType {
  return {
    encode: (message) => ({ finish: () => toBinary(schema, message) }),
    // Decoded `bytes` fields are views: of a copy, so that a value that the caller keeps does not keep the whole
    // receive buffer of the connection alive.
    decode: (bytes) => fromBinary(schema, new Uint8Array(bytes)),
    fromPartial: (init) => create(schema, init as MessageInitShape<DescMessage>),
  };
}
