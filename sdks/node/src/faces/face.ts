/** What a generated method says of itself. */
import type { DescMessage, DescMethod, Message, MessageShape } from '@bufbuild/protobuf';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type PipelineMethod, pipelineMethod, type UnaryDesc } from '../pipeline/method.ts';
import { type RouteOf, routeOf } from '../routing/route.ts';

/** A method that calls a unary rpc. */
export interface UnaryFace<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> {
  /** `kv.set_ttl` as its users write it: `kv.setTTL`. */
  readonly name: string;
  /** `gomsg.v1.KVService/Set`. */
  readonly rpc: string;
  readonly desc: UnaryDesc<I, O>;
  /** As the pipeline takes it, by the method's own name. */
  readonly method: PipelineMethod<I, O>;
}

export function unaryFace<I extends DescMessage, O extends DescMessage>(
  name: string,
  desc: UnaryDesc<I, O>,
): UnaryFace<I, O> {
  const method = pipelineMethod(desc);
  return { name, rpc: method.name, desc, method: { ...method, name } };
}

/** A server-streaming rpc as protobuf-es describes it, such as `KVService.method.watch`. */
export type StreamDesc<
  I extends DescMessage = DescMessage,
  O extends DescMessage = DescMessage,
> = DescMethod & {
  readonly methodKind: 'server_streaming';
  readonly input: I;
  readonly output: O;
};

/** A method that calls a server-streaming rpc. */
export interface StreamFace<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> {
  readonly name: string;
  /** `/gomsg.v1.KVService/Watch`. */
  readonly path: string;
  readonly desc: StreamDesc<I, O>;
  readonly routeOf: RouteOf;
  encode(request: MessageShape<I>): Buffer;
  /** What it returns shares no memory with `response`. */
  decode(response: Uint8Array): MessageShape<O>;
}

export function streamFace<I extends DescMessage, O extends DescMessage>(
  name: string,
  desc: StreamDesc<I, O>,
): StreamFace<I, O> {
  return {
    name,
    path: `/${desc.parent.typeName}/${desc.name}`,
    desc,
    routeOf: routeOf(desc),
    encode: (request) => Buffer.from(toBinary(desc.input, request as Message as MessageShape<I>)),
    decode: (response) => fromBinary(desc.output, new Uint8Array(response)),
  };
}
