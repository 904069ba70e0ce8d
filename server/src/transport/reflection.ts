/** The standard reflection service: tools such as `buf curl` and grpcurl learn the schema from the server. */
import { create, type DescFile, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { GomsgError } from '../services/errors.ts';
import type { BidiStreamingMethod, DuplexStream, Method } from '../services/method.ts';
import { decodeRequest } from './failures.ts';
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  ServerReflection as V1,
} from './gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as V1Alpha } from './gen/grpc/reflection/v1alpha/reflection_pb.js';
import { SchemaIndex } from './schema-index.ts';

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']>;

/** google.rpc.Code, as the reflection protocol prescribes. */
const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

/** Reflection is no part of the pipeline, so its methods have no number there. */
const NO_NUMBER = 0;

/**
 * Reflection over the services of these methods and its own, as v1 and as v1alpha, which older tools speak. The two
 * differ in nothing but their name, so one implementation on bytes serves both.
 */
export function reflectionMethods(methods: readonly Method[]): Method[] {
  const services = new Set(methods.map((method) => method.desc.parent));
  const schema = new SchemaIndex([...services, V1, V1Alpha]);
  const handle = (stream: DuplexStream) => answerAll(schema, stream);
  return [V1, V1Alpha].map(
    (service): BidiStreamingMethod => ({
      kind: 'bidi_streaming',
      desc: service.method.serverReflectionInfo,
      number: NO_NUMBER,
      handle,
    }),
  );
}

function answerAll(schema: SchemaIndex, stream: DuplexStream): void {
  // A caller gets each file once: most questions need the same few.
  const sent = new Set<DescFile>();
  stream.onMessage((bytes) => {
    let request: ServerReflectionRequest;
    try {
      request = decodeRequest(ServerReflectionRequestSchema, bytes);
    } catch (error) {
      if (!(error instanceof GomsgError)) throw error;
      stream.end(error);
      return;
    }
    const response = create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: answer(schema, request, sent),
    });
    if (!stream.write(toBinary(ServerReflectionResponseSchema, response))) stream.pause();
  });
  stream.onDrain(() => stream.resume());
  stream.onEnd(() => stream.end());
}

function answer(
  schema: SchemaIndex,
  { messageRequest }: ServerReflectionRequest,
  sent: Set<DescFile>,
): Answer {
  switch (messageRequest.case) {
    case 'fileByFilename':
      return files(schema, schema.file(messageRequest.value), messageRequest.value, sent);
    case 'fileContainingSymbol':
      return files(schema, schema.declaring(messageRequest.value), messageRequest.value, sent);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = messageRequest.value;
      const file = schema.extending(containingType, extensionNumber);
      return files(schema, file, `extension ${extensionNumber} of ${containingType}`, sent);
    }
    case 'allExtensionNumbersOfType': {
      const extensionNumber = schema.extensionsOf(messageRequest.value);
      if (extensionNumber === undefined) return failed(NOT_FOUND, `no message ${messageRequest.value} here`);
      return {
        case: 'allExtensionNumbersResponse',
        value: { baseTypeName: messageRequest.value, extensionNumber },
      };
    }
    case 'listServices':
      return {
        case: 'listServicesResponse',
        value: { service: schema.services.map((name) => ({ name })) },
      };
    case undefined:
      return failed(INVALID_ARGUMENT, 'the request asks for nothing that this server knows');
  }
}

/** The file and everything it imports that the caller does not have yet; the file itself always. */
function files(schema: SchemaIndex, file: DescFile | undefined, asked: string, sent: Set<DescFile>): Answer {
  if (file === undefined) return failed(NOT_FOUND, `no ${asked.slice(0, 200)} here`);
  const needed = new Set([file]);
  // A set that grows while it is walked: dependencies of dependencies are visited too.
  for (const one of needed) {
    for (const dependency of one.dependencies) if (!sent.has(dependency)) needed.add(dependency);
  }
  for (const one of needed) sent.add(one);
  return {
    case: 'fileDescriptorResponse',
    value: { fileDescriptorProto: Array.from(needed, (one) => schema.encoded(one)) },
  };
}

function failed(errorCode: number, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}
