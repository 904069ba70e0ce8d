/** The name in a request that decides which node takes it: of a key, queue or topic. */
import { type DescMessage, type DescMethod, getOption, type Message } from '@bufbuild/protobuf';
import { method as methodOption } from '../gen/gomsg/sdk/v1/options_pb.js';

/** Ids of deliveries are `queue#sequence.delivery`; names of queues have no `#`. */
const DELIVERY_ID = 'delivery_id';

/** Reads the name off a request; undefined where it has none. */
export type RouteOf = (request: Message) => string | undefined;

const anyNode: RouteOf = () => undefined;

/** By the rpc's option `route`: a path of fields, of repeated ones the first element. */
export function routeOf(desc: DescMethod): RouteOf {
  const { route } = getOption(desc, methodOption);
  if (route === '') return anyNode;
  const names = route.split('.');
  const read = reader(desc.input, names);
  return names.at(-1) === DELIVERY_ID ? (request) => queueOf(read(request)) : read;
}

function reader(message: DescMessage, [name, ...rest]: readonly string[]): RouteOf {
  const field = message.fields.find((candidate) => candidate.name === name)!;
  const { localName } = field;
  const oneof = field.oneof?.localName;
  const value = (request: Message): unknown => {
    const fields = request as unknown as Record<string, unknown>;
    if (oneof === undefined) return fields[localName];
    const chosen = fields[oneof] as { readonly case: string | undefined; readonly value?: unknown };
    return chosen.case === localName ? chosen.value : undefined;
  };
  const first = (request: Message): unknown => {
    const found = value(request);
    return Array.isArray(found) ? found[0] : found;
  };
  if (rest.length === 0) return (request) => first(request) as string | undefined;
  const inner = reader(field.message!, rest);
  return (request) => {
    const found = first(request);
    return found === undefined ? undefined : inner(found as Message);
  };
}

function queueOf(deliveryId: string | undefined): string | undefined {
  const end = deliveryId?.lastIndexOf('#') ?? -1;
  return end === -1 ? undefined : deliveryId!.slice(0, end);
}
