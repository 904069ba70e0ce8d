import type { AnyCommand } from '../../arguments/spec.ts';
import { exportKeys } from './export.ts';
import { importKeys } from './import.ts';
import { manyKeysCommands } from './many-keys.ts';
import { singleKeyCommands } from './single-key.ts';
import { watch } from './watch.ts';

export const kvCommands: readonly AnyCommand[] = [
  ...singleKeyCommands,
  ...manyKeysCommands,
  watch,
  importKeys,
  exportKeys,
];
