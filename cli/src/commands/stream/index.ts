import type { AnyCommand } from '../../arguments/spec.ts';
import { consumerCommands } from './consumers.ts';
import { exportEvents } from './export.ts';
import { importEvents } from './import.ts';
import { publishCommands } from './publish.ts';
import { readCommands } from './read.ts';
import { subscribe } from './subscribe.ts';
import { topicCommands } from './topics.ts';

export const streamCommands: readonly AnyCommand[] = [
  ...publishCommands,
  subscribe,
  ...readCommands,
  ...consumerCommands,
  ...topicCommands,
  importEvents,
  exportEvents,
];
