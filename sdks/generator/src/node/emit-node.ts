/** The Node SDK: one file for each service, the types, the errors, and the list of what is public. */
import type { GeneratedFile } from '../generated-file.ts';
import type { SdkModel } from '../model.ts';
import { emitErrors, errorClass } from './emit-errors.ts';
import { emitService, optionsInterfaceName, serviceClass } from './emit-service.ts';
import { emitTypes } from './emit-types.ts';
import { docComment, generatedFile } from './source.ts';
import { inputName, isClass } from './values.ts';

export function emitNode(model: SdkModel): GeneratedFile[] {
  return [
    ...model.services.map((service) => emitService(service, model)),
    emitTypes(model),
    emitErrors(model),
    emitServices(model),
    emitPublic(model),
  ];
}

/** All services of a client. */
function emitServices({ services }: SdkModel): GeneratedFile {
  const needs = (name: 'calls' | 'streams', faces: (typeof services)[number]['faces']) =>
    faces.some(({ kind }) => (kind === 'stream') === (name === 'streams')) ? [name] : [];
  return generatedFile('services.ts', [
    [
      `import type { Streams } from '../../streams/streams.ts';`,
      `import type { Calls } from '../calls.ts';`,
      ...services.map((service) => `import { ${serviceClass(service)} } from './${service.name}.ts';`),
    ].join('\n'),
    [
      docComment('All services of a node or a cluster.'),
      'export class Services {',
      ...services.map(
        (service) =>
          `${docComment(service.doc, '  ')}\n  readonly ${service.name}: ${serviceClass(service)};`,
      ),
      '',
      '  constructor(calls: Calls, streams: Streams) {',
      ...services.map((service) => {
        const given = [...needs('calls', service.faces), ...needs('streams', service.faces)];
        return `    this.${service.name} = new ${serviceClass(service)}(${given.join(', ')});`;
      }),
      '  }',
      '}',
    ].join('\n'),
  ]);
}

/** What users may name. */
function emitPublic(model: SdkModel): GeneratedFile {
  const messages = model.messages.filter(({ handwritten }) => !handwritten);
  const types = [
    ...model.enums.map(({ name }) => name),
    ...messages.flatMap((message) => [
      ...(message.isOutput ? [message.name] : []),
      ...(message.isInput ? [inputName(message)] : []),
    ]),
  ];
  const classes = messages.filter((message) => message.isOutput && isClass(message)).map(({ name }) => name);
  const families = [...new Set(model.reasons.map(({ family }) => family))].map(errorClass);
  return generatedFile('public.ts', [
    [
      exported([...families, 'type ErrorReasonName'], './errors.ts'),
      ...model.services.map((service) =>
        exported(
          [serviceClass(service), ...service.faces.flatMap((face) => optionsInterfaceName(face) ?? [])].map(
            (name) => `type ${name}`,
          ),
          `./${service.name}.ts`,
        ),
      ),
      exported(
        [...new Set(types)].map((name) => (classes.includes(name) ? name : `type ${name}`)),
        './types.ts',
      ),
    ].join('\n'),
  ]);
}

function exported(names: readonly string[], module: string): string {
  return `export {\n${[...names]
    .sort()
    .map((name) => `  ${name},\n`)
    .join('')}} from '${module}';`;
}
