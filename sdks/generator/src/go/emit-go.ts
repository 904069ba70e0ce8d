/** The Go SDK: one file for each service, its types, its errors and the table of its rpcs. */
import type { GeneratedFile } from '../generated-file.ts';
import type { SdkModel } from '../model.ts';
import { emitService } from './emit-service.ts';
import { emitEnums, emitErrors, emitRpcs, emitTypes } from './emit-types.ts';
import { sorted } from './source.ts';

/** Paths are below the folder of the module. */
export function emitGo(given: SdkModel): GeneratedFile[] {
  const model = sorted(given);
  return [
    ...model.services.map(emitService),
    emitTypes(model),
    emitEnums(model),
    emitErrors(model),
    emitRpcs(model),
  ];
}
