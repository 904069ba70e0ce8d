import type { AnyCommand } from '../../arguments/spec.ts';
import { exportMessages } from './export.ts';
import { importMessages } from './import.ts';
import { peek } from './peek.ts';
import { pushCommands } from './push.ts';
import { settingsCommands } from './settings.ts';
import { takeCommands } from './take.ts';

export const queueCommands: readonly AnyCommand[] = [
  ...pushCommands,
  ...takeCommands,
  peek,
  ...settingsCommands,
  importMessages,
  exportMessages,
];
