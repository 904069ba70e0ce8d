/** Go source: names, comments and files as the emitters of this folder write them. */
import type { DescField, DescMessage, DescOneof } from '@bufbuild/protobuf';
import { wrapped } from '../comments.ts';
import { GENERATED_MARK, type GeneratedFile } from '../generated-file.ts';
import type { FaceModel, RpcModel, SdkModel } from '../model.ts';
import { lowerCamel, upperCamel } from '../names.ts';

const INITIALISMS: ReadonlySet<string> = new Set(['ttl', 'id', 'cpu', 'kv']);

const COMMENT_WIDTH = 115;

/** The same model whatever the order of the files was: Go does not mind the order of types. */
export function sorted(model: SdkModel): SdkModel {
  const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);
  return {
    ...model,
    services: model.services.toSorted(byName),
    messages: model.messages.toSorted(byName),
    enums: model.enums.toSorted(byName),
    rpcs: model.rpcs.toSorted((a, b) => a.number - b.number),
  };
}

/** Words that a parameter cannot be called, and the names that generated functions use themselves. */
const TAKEN: ReadonlySet<string> = new Set(
  (
    'break case chan const continue default defer else fallthrough for func go goto if import interface map package ' +
    'range return select struct switch type var c ctx err given handler options request response context grpc iter'
  ).split(' '),
);

/** `message_id` → `MessageID`. */
export function exported(...snake: string[]): string {
  return snake.map((name) => upperCamel(name, INITIALISMS)).join('');
}

/** `node_id` → `nodeID`. */
export function unexported(...snake: string[]): string {
  return lowerCamel(snake.join('_'), INITIALISMS);
}

/** Name of a parameter. */
export function parameter(snake: string): string {
  const name = unexported(snake);
  if (name === 'time') return 'moment';
  return TAKEN.has(name) ? `${name}Value` : name;
}

/** The method that a face becomes; `suffix` is that of a second one, such as `iter`. */
export function methodName(face: FaceModel, suffix = ''): string {
  return (face.spelled.go ?? exported(face.name)) + exported(suffix);
}

/** `KVClient`, of the service `kv`. */
export function clientName(service: string): string {
  return `${exported(service)}Client`;
}

/** `KVSetOptions`. */
export function optionsName(face: FaceModel): string {
  return `${exported(face.service)}${methodName(face)}Options`;
}

/** The variable that describes an rpc: `rpcKVSet`; those of the pipeline go by their name alone, `rpcOpenSession`. */
export function rpcName({ desc }: RpcModel): string {
  const service = desc.parent.name.replace(/Service$/, '');
  return `rpc${service === 'Pipeline' ? '' : service}${desc.name}`;
}

/** How protoc-gen-go spells a field: `node_id` → `NodeId`. */
export function protoField({ name }: DescField | DescOneof): string {
  return name
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

export function protoMessage({ name }: DescMessage): string {
  return `gomsgv1.${name}`;
}

/** The struct in which protoc-gen-go keeps a member of a oneof. */
export function protoOneofMember(field: DescField): string {
  return `gomsgv1.${field.parent.name}_${protoField(field)}`;
}

/** A doc comment, with a line break at its end; nothing for an empty text. */
export function comment(text: string, indent = ''): string {
  const lines = wrapped(text, COMMENT_WIDTH - indent.length * 4);
  return lines.map((line) => `${`${indent}// ${line}`.trimEnd()}\n`).join('');
}

/** Documentation of something by its name, as Go's custom is: `Set stores …`. */
export function named(name: string, doc: string): string {
  const begins = /^[A-Z][a-z]/.test(doc) ? doc.charAt(0).toLowerCase() + doc.slice(1) : doc;
  return `${name} ${begins}`;
}

const PACKAGES: Readonly<Record<string, string>> = {
  context: 'context',
  codes: 'google.golang.org/grpc/codes',
  conformancev1: 'conformancev1 github.com/gomsg/gomsg/conformance/clients/go/gen/gomsg/conformance/v1',
  durationpb: 'google.golang.org/protobuf/types/known/durationpb',
  gomsg: 'gomsg github.com/gomsg/gomsg/sdks/go',
  gomsgv1: 'gomsgv1 github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1',
  grpc: 'google.golang.org/grpc',
  iter: 'iter',
  proto: 'google.golang.org/protobuf/proto',
  strconv: 'strconv',
  time: 'time',
  timestamppb: 'google.golang.org/protobuf/types/known/timestamppb',
};

/** A file of sections with a blank line between each two; it imports the packages that the sections name. */
export function goFile(path: string, sections: readonly string[], packageName = 'gomsg'): GeneratedFile {
  const text = sections.map((section) => section.trimEnd()).join('\n\n');
  const code = text.replaceAll(/\/\/.*$|"[^"\n]*"/gm, '');
  const used = Object.keys(PACKAGES).filter((name) => new RegExp(`(?<![\\w.])${name}\\.`).test(code));
  const lines = used.map((name) => PACKAGES[name]!).map(importLine);
  const standard = lines.filter(({ from }) => !from.includes('.')).sort(byPath);
  const others = lines.filter(({ from }) => from.includes('.')).sort(byPath);
  const groups = [standard, others].filter((group) => group.length > 0);
  const imports =
    groups.length === 0
      ? ''
      : `import (\n${groups.map((group) => group.map(({ line }) => line).join('')).join('\n')})\n\n`;
  return { path, content: `// ${GENERATED_MARK}\n\npackage ${packageName}\n\n${imports}${text}\n` };
}

function importLine(of: string): { readonly from: string; readonly line: string } {
  const [alias, path] = of.split(' ');
  return path === undefined
    ? { from: of, line: `\t"${of}"\n` }
    : { from: path, line: `\t${alias === path.split('/').at(-1) ? '' : `${alias} `}"${path}"\n` };
}

function byPath(a: { readonly from: string }, b: { readonly from: string }): number {
  return a.from < b.from ? -1 : 1;
}
