import { fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
} from './gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as V1Alpha } from './gen/grpc/reflection/v1alpha/reflection_pb.js';
import { collect, openToyPort, type ToyPort } from './testing/toy-port.ts';

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>['messageRequest']>;

let toy: ToyPort;
beforeAll(async () => {
  toy = await openToyPort();
});
afterAll(() => toy[Symbol.asyncDispose]());

/** The answers to questions asked on one stream. */
async function ask(...questions: Question[]) {
  const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: toy.url }));
  const requests = (async function* () {
    for (const messageRequest of questions) yield { messageRequest };
  })();
  return (await collect(client.serverReflectionInfo(requests))).map((answer) => answer.messageResponse);
}

/** The names of the files in an answer. */
function fileNames(answer: Awaited<ReturnType<typeof ask>>[number] | undefined): string[] {
  if (answer?.case !== 'fileDescriptorResponse') throw new Error(`no files: ${JSON.stringify(answer)}`);
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

test('all services are listed', async () => {
  const [answer] = await ask({ case: 'listServices', value: '' });
  if (answer?.case !== 'listServicesResponse') throw new Error('no list');
  expect(answer.value.service.map(({ name }) => name)).toEqual([
    'gomsg.v1.KVService',
    'gomsg.v1.PipelineService',
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
  ]);
});

test.each([
  ['gomsg.v1.KVService', 'gomsg/v1/kv.proto'],
  ['gomsg.v1.KVService.Get', 'gomsg/v1/kv.proto'],
  ['gomsg.v1.KVServiceGetRequest', 'gomsg/v1/kv.proto'],
  ['gomsg.v1.KVServiceGetRequest.key', 'gomsg/v1/kv.proto'],
  ['gomsg.v1.ErrorReason', 'gomsg/v1/common.proto'],
  ['gomsg.v1.ERROR_REASON_INTERNAL', 'gomsg/v1/common.proto'],
  ['.google.protobuf.Duration', 'google/protobuf/duration.proto'],
])('%s is declared in %s', async (symbol, file) => {
  const [answer] = await ask({ case: 'fileContainingSymbol', value: symbol });
  expect(fileNames(answer)[0]).toBe(file);
});

test('a file comes with all it imports, and what came before on the stream does not come again', async () => {
  const [first, again] = await ask(
    { case: 'fileContainingSymbol', value: 'gomsg.v1.KVService' },
    { case: 'fileByFilename', value: 'gomsg/v1/pipeline.proto' },
  );
  const files = fileNames(first);
  expect(files).toEqual(expect.arrayContaining(['gomsg/v1/common.proto', 'gomsg/sdk/v1/options.proto']));
  expect(fileNames(again)).toEqual(['gomsg/v1/pipeline.proto']);
});

test('extensions are found by number', async () => {
  const [numbers] = await ask({
    case: 'allExtensionNumbersOfType',
    value: 'google.protobuf.MethodOptions',
  });
  if (numbers?.case !== 'allExtensionNumbersResponse') throw new Error('no numbers');
  const [extensionNumber] = numbers.value.extensionNumber;
  const [file] = await ask({
    case: 'fileContainingExtension',
    value: { containingType: 'google.protobuf.MethodOptions', extensionNumber: extensionNumber! },
  });
  expect(fileNames(file)[0]).toBe('gomsg/sdk/v1/options.proto');
});

test('what is not here is answered so, and the stream goes on', async () => {
  const answers = await ask(
    { case: 'fileContainingSymbol', value: 'acme.Shop' },
    { case: 'fileByFilename', value: 'acme.proto' },
    { case: 'allExtensionNumbersOfType', value: 'acme.Shop' },
    { case: undefined },
    { case: 'fileByFilename', value: 'gomsg/v1/kv.proto' },
  );
  expect(
    answers.map((answer) => (answer.case === 'errorResponse' ? answer.value.errorCode : answer.case)),
  ).toEqual([5, 5, 5, 3, 'fileDescriptorResponse']);
});

test('older tools get the same by v1alpha', async () => {
  const client = createClient(V1Alpha, createGrpcTransport({ baseUrl: toy.url }));
  const requests = (async function* () {
    yield { messageRequest: { case: 'listServices' as const, value: '' } };
  })();
  const [answer] = await collect(client.serverReflectionInfo(requests));
  expect(answer?.messageResponse.case).toBe('listServicesResponse');
});
