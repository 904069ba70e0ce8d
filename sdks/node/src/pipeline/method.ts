/** What the pipeline knows of an rpc. */
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  getOption,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { method as methodOption } from '../gen/gomsg/sdk/v1/options_pb.js';
import { type RouteOf, routeOf } from '../routing/route.ts';

/** A unary rpc as protobuf-es describes it, such as `KVService.method.set`. */
export type UnaryDesc<
  I extends DescMessage = DescMessage,
  O extends DescMessage = DescMessage,
> = DescMethod & {
  readonly methodKind: 'unary';
  readonly input: I;
  readonly output: O;
};

/** A unary rpc, ready to be called. */
export interface PipelineMethod<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> {
  /** `gomsg.v1.KVService/Set`, for messages. */
  readonly name: string;
  /** Names the rpc in frames. */
  readonly number: number;
  /** Changes something: sent in a session. */
  readonly isWrite: boolean;
  /** May be applied twice without harm: repeated even without a session. */
  readonly isIdempotent: boolean;
  /** The name in a request whose slot decides where it goes. */
  readonly routeOf: RouteOf;
  encode(request: MessageInitShape<I>): Uint8Array;
  /** The response of a view into a frame. What it returns shares no memory with the frame. */
  decode(response: Uint8Array): MessageShape<O>;
}

const known = new WeakMap<DescMethod, PipelineMethod>();

/** The method of a description. @throws TypeError when the rpc has no number in the pipeline */
export function pipelineMethod<I extends DescMessage, O extends DescMessage>(
  desc: UnaryDesc<I, O>,
): PipelineMethod<I, O> {
  let method = known.get(desc);
  if (method === undefined) {
    method = describe(desc) as unknown as PipelineMethod;
    known.set(desc, method);
  }
  return method as unknown as PipelineMethod<I, O>;
}

function describe<I extends DescMessage, O extends DescMessage>(desc: UnaryDesc<I, O>): PipelineMethod<I, O> {
  const name = `${desc.parent.typeName}/${desc.name}`;
  const { number } = getOption(desc, methodOption);
  if (number === 0) throw new TypeError(`${name} has no number in the pipeline`);
  const { input, output, idempotency } = desc;
  const isWrite = idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return {
    name,
    number,
    isWrite,
    isIdempotent: !isWrite || idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT,
    routeOf: routeOf(desc),
    encode: (request) => toBinary(input, create(input, request)),
    // `bytes` fields are decoded as views. Of the frame, they would keep all results of a turn in memory for as
    // long as the caller keeps one value.
    decode: hasBytes(output, new Set())
      ? (response) => fromBinary(output, new Uint8Array(response))
      : (response) => fromBinary(output, response),
  };
}

function hasBytes(message: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(message)) return false;
  seen.add(message);
  return message.fields.some((field) => {
    const scalar =
      field.fieldKind === 'list'
        ? field.listKind === 'scalar' && field.scalar
        : field.fieldKind === 'map'
          ? field.mapKind === 'scalar' && field.scalar
          : field.fieldKind === 'scalar' && field.scalar;
    return scalar === ScalarType.BYTES || (field.message !== undefined && hasBytes(field.message, seen));
  });
}
