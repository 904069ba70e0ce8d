/** The imports of a generated file: of what its code names, and nothing else. */
import type { SdkModel } from '../model.ts';
import { enumNumbers, enumWords, inputName, isClass, pbAlias, readerOf, writerOf } from './values.ts';

/** What the hand-written part has, by module as seen from the generated files; names with `type ` are types only. */
const RUNTIME: readonly { readonly module: string; readonly names: readonly string[] }[] = [
  { module: '../../messages/queue-message.ts', names: ['QueueMessage'] },
  { module: '../../messages/stream-message.ts', names: ['StreamMessage'] },
  { module: '../../messages/stream-start.ts', names: ['type StreamStart', 'streamStart'] },
  {
    module: '../../streams/streams.ts',
    names: ['type HandlerOptions', 'type StreamArguments', 'type StreamOptions', 'type Streams'],
  },
  { module: '../../streams/subscription.ts', names: ['type Handler', 'type Subscription'] },
  { module: '../call-options.ts', names: ['CALL_OPTIONS', 'type CallOptions', 'optionsOf'] },
  { module: '../calls.ts', names: ['type Calls', 'type Paging'] },
  { module: '../face.ts', names: ['streamFace', 'unaryFace'] },
  { module: '../input.ts', names: ['type Moment', 'type Text'] },
  {
    module: '../output.ts',
    names: [
      'bytesOf',
      'dateOf',
      'mapOf',
      'numberOf',
      'type Origin',
      'present',
      'secondsOf',
      'textOf',
      'wordOf',
    ],
  },
];

/** Import lines for a body; `fromTypes` are names of the file of types. */
export function imports(body: string, model: SdkModel, fromTypes: readonly string[]): string {
  const files = new Map<string, string>();
  for (const file of [
    ...model.rpcs.map(({ desc }) => desc.parent.file),
    ...model.messages.map(({ desc }) => desc.file),
    ...model.enums.map(({ desc }) => desc.file),
  ]) {
    files.set(pbAlias(file), file.name);
  }
  const lines = [
    ...(uses(body, 'create') ? [`import { create } from '@bufbuild/protobuf';`] : []),
    ...[...files]
      .filter(([alias]) => uses(body, alias))
      .map(([alias, name]) => {
        const isValue = new RegExp(`\\b${alias}\\.\\w+(Schema\\b|Service\\b|\\.)`).test(body);
        return `import ${isValue ? '' : 'type '}* as ${alias} from '../../gen/${name}_pb.js';`;
      }),
    ...RUNTIME.flatMap(({ module, names }) => {
      const used = names.filter((name) => uses(body, name.replace('type ', '')));
      return used.length === 0 ? [] : [importLine(used, module)];
    }),
    ...(uses(body, 'input') ? [`import * as input from '../input.ts';`] : []),
    ...[
      importLine(
        fromTypes.filter((name) => uses(body, name.replace('type ', ''))),
        './types.ts',
      ),
    ].filter((line) => !line.includes('{  }')),
  ];
  return lines.join('\n');
}

/** Names that the file of types exports. */
export function typeNames(model: SdkModel): string[] {
  return [
    ...model.enums.flatMap((one) => [`type ${one.name}`, enumNumbers(one), enumWords(one)]),
    ...model.messages
      .filter(({ handwritten }) => !handwritten)
      .flatMap((message) => [
        ...(message.isOutput
          ? isClass(message)
            ? [message.name]
            : [`type ${message.name}`, readerOf(message)]
          : []),
        ...(message.isInput ? [`type ${inputName(message)}`, writerOf(message)] : []),
      ]),
  ];
}

function importLine(names: readonly string[], module: string): string {
  const isTypes = names.every((name) => name.startsWith('type '));
  return isTypes && names.length > 0
    ? `import type { ${names.map((name) => name.slice('type '.length)).join(', ')} } from '${module}';`
    : `import { ${names.join(', ')} } from '${module}';`;
}

function uses(body: string, name: string): boolean {
  // As code: not in comments.
  return new RegExp(`(?<![.\\w'])${name}\\b`).test(withoutComments(body));
}

function withoutComments(body: string): string {
  return body.replaceAll(/\/\*\*[\s\S]*?\*\//g, '');
}
