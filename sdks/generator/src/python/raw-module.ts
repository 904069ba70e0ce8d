/** `_gen/raw.py`: a plain gRPC client for each service. */
import type { GeneratedFile } from '../generated-file.ts';
import type { RpcModel, SdkModel } from '../model.ts';
import { docstring, indent, literal, moduleText, protoClass, protoImport } from './code.ts';

const CALLABLES = {
  unary: ['UnaryUnaryMultiCallable', 'unary_unary'],
  server_streaming: ['UnaryStreamMultiCallable', 'unary_stream'],
  client_streaming: ['StreamUnaryMultiCallable', 'stream_unary'],
  bidi_streaming: ['StreamStreamMultiCallable', 'stream_stream'],
} as const;

export function rawModule({ rpcs }: SdkModel): GeneratedFile {
  const services = Map.groupBy(rpcs, ({ desc }) => desc.parent);
  return {
    path: 'raw.py',
    content: moduleText(
      'Plain gRPC clients: one rpc each, with protobuf messages, without retries.',
      [
        'import grpc.aio',
        ...rpcs.flatMap(({ desc }) => [protoImport(desc.input.file), protoImport(desc.output.file)]),
      ],
      [...services].map(([service, list]) => [
        `class ${service.name}Client:`,
        ...indent([
          ...docstring(`The rpcs of ${service.typeName}.`),
          '',
          'def __init__(self, channel: grpc.aio.Channel) -> None:',
          ...indent(list.flatMap(rpcMember)),
        ]),
      ]),
    ),
  };
}

function rpcMember({ desc, path }: RpcModel): string[] {
  const [type, factory] = CALLABLES[desc.methodKind];
  const [input, output] = [protoClass(desc.input), protoClass(desc.output)];
  return [
    `self.${desc.name}: grpc.aio.${type}[`,
    ...indent([`${input}, ${output}`]),
    `] = channel.${factory}(`,
    ...indent([
      `${literal(`/${path}`)},`,
      `request_serializer=${input}.SerializeToString,`,
      `response_deserializer=${output}.FromString,`,
    ]),
    ')',
  ];
}
