/** The reference page of errors, read off the catalogue: `enum ErrorReason` with its comments and options. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFileRegistry, type DescEnumValue, fromBinary, getOption } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Code } from '@connectrpc/connect';
import { codeToHttpStatus, codeToString } from '@connectrpc/connect/protocol-connect';
import { error as errorOption } from '../server/src/gen/gomsg/sdk/v1/options_pb.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where the page is, from the root of the repository. */
export const ERROR_PAGE = 'docs/errors.md';

const CATALOGUE_FILE = 'gomsg/v1/common.proto';
const CATALOGUE = 'gomsg.v1.ErrorReason';
const PREFIX = 'ERROR_REASON_';

/** Field numbers of descriptor.proto, by which source info names places. */
const FILE_ENUM_TYPE = 5;
const ENUM_VALUE = 2;

interface Reason {
  /** Without the prefix of the enum: `KEY_NOT_FOUND`. */
  readonly name: string;
  readonly number: number;
  readonly meaning: string;
  /** google.rpc.Code. */
  readonly code: number;
  readonly retryable: boolean;
  readonly action: string;
}

/** The text of docs/errors.md. */
export function errorPage(): string {
  const reasons = readCatalogue();
  return `${[HEAD, table(reasons), ...reasons.map(section)].join('\n\n')}\n`;
}

const HEAD = `# Errors

Written from \`enum ErrorReason\` in \`proto/gomsg/v1/common.proto\` by \`npm run generate\`.

A call that fails carries a gRPC status code, a message for people, and one \`gomsg.v1.ErrorDetail\` for programs. Decide by the
detail's \`reason\`: codes are shared by several reasons, and messages may change.

| over | the code is | the detail is |
| --- | --- | --- |
| gRPC, gRPC-Web | the status code | in the \`grpc-status-details-bin\` trailer, a \`google.rpc.Status\` |
| Connect and plain JSON | \`code\` of the answer, and the HTTP status | in \`details\`: \`debug\` in clear, \`value\` encoded |
| the pipeline | \`PipelineResult.error.code\` | \`PipelineResult.error.detail\` |

\`\`\`json
{
  "code": "not_found",
  "message": "key \\"nope\\" does not exist",
  "details": [
    {
      "type": "gomsg.v1.ErrorDetail",
      "debug": { "reason": "ERROR_REASON_KEY_NOT_FOUND", "subject": "nope" },
      "value": "CBQSBG5vcGU"
    }
  ]
}
\`\`\`

A **retryable** reason says that the same call can succeed later, unchanged; the detail's \`retry_after\`, where it is set, says
how much later. A retry of a write may meet a first try that was applied: send it in the same session
([guarantees](guarantees.md#sessions-and-retries)).

NOT_LEADER, NO_QUORUM and STALE_TOPOLOGY belong to the contract, and a node that runs alone has no cause to give them.`;

function table(reasons: readonly Reason[]): string {
  const rows = reasons.map(
    ({ name, number, code, retryable }) =>
      `| [${name}](#${name.toLowerCase()}) | ${number} | ${codeToString(code as Code)} | ${codeToHttpStatus(code as Code)} | ${retryable ? 'yes' : ''} |`,
  );
  return ['| reason | number | code | HTTP | retryable |', '| --- | --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

function section({ name, meaning, action, code, retryable }: Reason): string {
  return [
    `## ${name}`,
    meaning,
    `**What to do:** ${action}`,
    `Code ${code}, \`${codeToString(code as Code)}\`; ${retryable ? 'retryable' : 'not retryable'}.`,
  ].join('\n\n');
}

function readCatalogue(): Reason[] {
  const set = fromBinary(FileDescriptorSetSchema, buildContracts());
  const file = set.file.find(({ name }) => name === CATALOGUE_FILE);
  const catalogue = createFileRegistry(set).getEnum(CATALOGUE);
  if (file === undefined || catalogue === undefined) throw new Error(`${CATALOGUE} is not in the contracts`);
  const position = file.enumType.findIndex((type) => `${file.package}.${type.name}` === CATALOGUE);
  return catalogue.values
    .map((value, index) => ({
      value,
      meaning: commentAt(file, [FILE_ENUM_TYPE, position, ENUM_VALUE, index]),
    }))
    .filter(({ value }) => value.number !== 0)
    .map(({ value, meaning }) => readReason(value, meaning));
}

function readReason(value: DescEnumValue, meaning: string): Reason {
  const { code, retryable, action } = getOption(value, errorOption);
  if (code === 0 || action === '' || meaning === '') {
    throw new Error(`${value.name} needs a comment, a code and an action in ${CATALOGUE_FILE}`);
  }
  return { name: value.name.slice(PREFIX.length), number: value.number, meaning, code, retryable, action };
}

/** The contracts with their comments, which generated code leaves out. */
function buildContracts(): Uint8Array {
  const buf = join(root, 'node_modules', '.bin', 'buf');
  const args = ['build', '--as-file-descriptor-set', '--output', '-#format=binpb'];
  const { status, stdout, stderr, error } = spawnSync(buf, args, { cwd: root });
  if (error) throw error;
  if (status !== 0) throw new Error(`buf build failed: ${stderr.toString()}`);
  return stdout;
}

function commentAt(file: FileDescriptorProto, path: readonly number[]): string {
  const place = path.join('.');
  const location = file.sourceCodeInfo?.location.find((candidate) => candidate.path.join('.') === place);
  return (location?.leadingComments ?? '').replace(/\s+/g, ' ').trim();
}
