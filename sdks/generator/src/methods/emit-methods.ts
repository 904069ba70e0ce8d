/** The list of all methods of the SDKs, for the conformance suite: what it must cover. */
import type { GeneratedFile } from '../generated-file.ts';
import type { FaceModel, SdkModel } from '../model.ts';

/** One method of the SDKs, by its names in snake_case. */
export interface ListedMethod {
  readonly service: string;
  readonly method: string;
  /** `pages` collects what `iter` yields one by one. */
  readonly kind: 'unary' | 'pages' | 'iter' | 'stream';
  /** It gives bytes where the method without `_bytes` gives text. */
  readonly bytesTwin: boolean;
}

export function emitMethods(model: SdkModel): GeneratedFile[] {
  const methods = model.services.flatMap(({ name, faces }) => faces.flatMap((face) => listed(name, face)));
  return [{ path: 'methods.json', content: `${JSON.stringify(methods, undefined, 2)}\n` }];
}

function listed(service: string, face: FaceModel): ListedMethod[] {
  const base = { service, method: face.name, kind: face.kind, bytesTwin: false };
  return [
    base,
    ...(face.kind === 'pages' ? [{ ...base, method: `${face.name}_iter`, kind: 'iter' as const }] : []),
    ...(face.hasBytesTwin ? [{ ...base, method: `${face.name}_bytes`, bytesTwin: true }] : []),
  ];
}
