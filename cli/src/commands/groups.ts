/** The services that have commands. */
import type { CommandGroup } from '../arguments/spec.ts';

export const COMMAND_GROUPS: readonly CommandGroup[] = [
  {
    name: 'kv',
    summary: 'Keys and values: get, set, scan, watch …',
    load: async () => (await import('./kv/index.ts')).kvCommands,
  },
  {
    name: 'queue',
    summary: 'Message queues: push, pop, ack, stats …',
    load: async () => (await import('./queue/index.ts')).queueCommands,
  },
  {
    name: 'stream',
    summary: 'Event streams: publish, subscribe, read, seek …',
    load: async () => (await import('./stream/index.ts')).streamCommands,
  },
  {
    name: 'cluster',
    summary: 'The nodes: status, health, stats …',
    load: async () => (await import('./cluster/index.ts')).clusterCommands,
  },
];
