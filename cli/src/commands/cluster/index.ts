import type { AnyCommand } from '../../arguments/spec.ts';
import { memberCommands } from './members.ts';
import { stateCommands } from './state.ts';

export const clusterCommands: readonly AnyCommand[] = [...memberCommands, ...stateCommands];
