/** What a request is about, read off its bytes: the name whose slot decides which group takes the call. */
import { type DescField, type DescMessage, type DescMethod, getOption, ScalarType } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { method as methodOption } from '../gen/gomsg/sdk/v1/options_pb.js';
import { Consistency } from '../gen/gomsg/v1/common_pb.js';

export interface Route {
  /** Undefined when the request names nothing, or too little of it can be read: any node may take the call. */
  readonly name: string | undefined;
  /** The caller is content with what any replica has. */
  readonly isStale: boolean;
}

/** Reads the route of every request of an rpc; undefined for an rpc that has none. */
export type RouteReader = (request: Uint8Array) => Route;

const NAMELESS: Route = { name: undefined, isStale: false };

export function routeReader(desc: DescMethod): RouteReader | undefined {
  const { route } = getOption(desc, methodOption);
  if (route === '') return undefined;
  const path = fieldsOf(desc.input, route);
  const consistency = desc.input.fields.find(({ name }) => name === 'consistency')?.number;
  // A delivery id begins with its queue's name, which has no `#`.
  const isDeliveryId = path.at(-1)!.name === 'delivery_id';
  return (request) => {
    try {
      const found = read(request, path, consistency);
      if (!isDeliveryId || found.name === undefined) return found;
      return { ...found, name: found.name.slice(0, Math.max(0, found.name.lastIndexOf('#'))) };
    } catch {
      return NAMELESS; // The service says better than this what is wrong with the request.
    }
  };
}

function fieldsOf(message: DescMessage, path: string): DescField[] {
  let at: DescMessage | undefined = message;
  return path.split('.').map((name) => {
    const field: DescField | undefined = at?.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new Error(`${message.typeName} has no field ${path}`);
    at = field.message;
    if (at === undefined && field.scalar !== ScalarType.STRING) throw new Error(`${path} is no string`);
    return field;
  });
}

function read(request: Uint8Array, path: readonly DescField[], consistencyField: number | undefined): Route {
  let name: string | undefined;
  let isStale = false;
  const [first, ...rest] = path;
  const isRepeated = first!.fieldKind === 'list';
  const reader = new BinaryReader(request);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === first!.number && wireType === WireType.LengthDelimited) {
      // Of a repeated field the first counts, of any other the last, as protobuf has it.
      if (isRepeated && name !== undefined) reader.skip(wireType, field);
      else if (rest.length === 0) name = reader.string();
      else name = read(reader.bytes(), rest, undefined).name ?? '';
    } else if (field === consistencyField && wireType === WireType.Varint) {
      isStale = reader.uint32() === Consistency.STALE;
    } else reader.skip(wireType, field);
  }
  return { name, isStale };
}
