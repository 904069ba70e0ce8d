/** The error classes, one for each family of the catalogue, and the names of the reasons. */
import type { GeneratedFile } from '../generated-file.ts';
import type { SdkModel } from '../model.ts';
import { upperCamel } from '../names.ts';
import { docComment, generatedFile } from './source.ts';

export function emitErrors(model: SdkModel): GeneratedFile {
  const families = Map.groupBy(model.reasons, ({ family }) => family);
  const classes = [...families].map(([family, reasons]) => {
    const name = errorClass(family);
    const named = reasons.map((reason) => reason.name).join(', ');
    return [
      docComment(`A call that failed with the gRPC code ${family.toUpperCase()}: ${named}.`),
      `export class ${name} extends GomsgError {`,
      `  override readonly name = '${name}';`,
      '}',
    ].join('\n');
  });
  const byCode = [...families].map(([family, [first]]) => `  [${first!.code}, ${errorClass(family)}],`);
  const reasonNames = model.reasons.map(({ name, doc }) => `${docComment(doc, '  ')}\n  | '${name}'`);
  return generatedFile('errors.ts', [
    `import { GomsgError } from '../../gomsg-error.ts';`,
    [
      docComment('Why a call failed, by name, as in `error.reasonName`.'),
      'export type ErrorReasonName =',
      `${reasonNames.join('\n')}\n  | 'UNSPECIFIED';`,
    ].join('\n'),
    ...classes,
    [
      docComment('The class of errors of each gRPC code.'),
      'export const families: ReadonlyMap<number, typeof GomsgError> = new Map<number, typeof GomsgError>([',
      ...byCode,
      ']);',
    ].join('\n'),
  ]);
}

/** `not_found` → `NotFoundError`. */
export function errorClass(family: string): string {
  return `${upperCamel(family, new Set())}Error`;
}
