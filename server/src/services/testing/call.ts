/** Calls methods of a service as a transport would, with messages in and out. */
import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { GomsgError } from '../errors.ts';
import type { CallContext, Method, ServerStreamingMethod, UnaryMethod } from '../method.ts';

/** A context as of a gRPC call without headers, deadline or session. */
export function callContext(given: Partial<CallContext> = {}): CallContext {
  return {
    protocol: 'grpc',
    peer: '127.0.0.1:50000',
    deadline_ms: undefined,
    signal: new AbortController().signal,
    header: () => undefined,
    session: undefined,
    ...given,
  };
}

/** Makes a unary call. Rejects with `GomsgError` when it fails. */
export function call<I extends DescMessage, O extends DescMessage>(
  methods: readonly Method[],
  desc: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  context: CallContext = callContext(),
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    const method = methods.find((candidate): candidate is UnaryMethod => candidate.desc === desc);
    if (!method) throw new Error(`${desc.name} is not among the methods`);
    method.handle(toBinary(desc.input, create(desc.input, request)), context, {
      ok: (response) => resolve(fromBinary(desc.output, response)),
      fail: (failure) => reject(new GomsgError(failure)),
    });
  });
}

/** Opens a server stream; the iterator's `return()` ends it as a caller that goes away does. */
export async function* open<I extends DescMessage, O extends DescMessage>(
  methods: readonly Method[],
  desc: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  context: CallContext = callContext(),
): AsyncGenerator<MessageShape<O>, void, undefined> {
  const method = methods.find((candidate): candidate is ServerStreamingMethod => candidate.desc === desc);
  if (!method) throw new Error(`${desc.name} is not among the methods`);
  for await (const response of method.handle(toBinary(desc.input, create(desc.input, request)), context)) {
    yield fromBinary(desc.output, response);
  }
}
