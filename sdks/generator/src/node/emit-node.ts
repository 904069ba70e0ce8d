/** The Node SDK: one file for each service, its types, and its errors. */
import type { GeneratedFile } from '../generated-file.ts';
import type { SdkModel } from '../model.ts';
import { emitErrors } from './emit-errors.ts';

export function emitNode(model: SdkModel): GeneratedFile[] {
  return [emitErrors(model)];
}
