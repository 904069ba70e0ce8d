import type { DescMessage, DescMethod, DescService } from '@bufbuild/protobuf';
import { ClusterService } from '@gomsg/client/gen/gomsg/v1/cluster_pb.js';
import { KVService } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { QueueService, QueueSettingsSchema } from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { StreamService, TopicSettingsSchema } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { describe, expect, it } from 'vitest';
import { type AnyCommand, optionName } from '../arguments/spec.ts';
import { clusterCommands } from './cluster/index.ts';
import { kvCommands } from './kv/index.ts';
import { queueCommands } from './queue/index.ts';
import { streamCommands } from './stream/index.ts';

const SERVICES: readonly (readonly [DescService, readonly AnyCommand[]])[] = [
  [KVService, kvCommands],
  [QueueService, queueCommands],
  [StreamService, streamCommands],
  [ClusterService, clusterCommands],
];

const RPCS = SERVICES.flatMap(([service, commands]) =>
  service.methods.map((method) => ({
    rpc: `${service.name}.${method.name}`,
    method,
    callers: commands.filter(({ rpcs }) => rpcs.includes(method)),
  })),
);

function fieldsNotCovered(schema: DescMessage, { specs, fills = {} }: AnyCommand): string[] {
  return schema.fields
    .map(({ localName }) => localName)
    .filter((name) => !(name in specs) && !(name in fills));
}

function commandOf(commands: readonly AnyCommand[], method: DescMethod): AnyCommand {
  return commands.find(({ rpcs }) => rpcs.includes(method))!;
}

describe('the commands cover the contracts', () => {
  it.each(RPCS)('$rpc has a command', ({ callers }) => {
    expect(callers).not.toEqual([]);
  });

  it.each(RPCS)('every field of the request of $rpc can be given', ({ method, callers }) => {
    for (const command of callers) expect(fieldsNotCovered(method.input, command)).toEqual([]);
  });

  it('every setting of queues and topics has an option', () => {
    const { method: queue } = QueueService;
    const { method: stream } = StreamService;
    for (const method of [queue.create, queue.configure]) {
      expect(fieldsNotCovered(QueueSettingsSchema, commandOf(queueCommands, method))).toEqual([]);
    }
    for (const method of [stream.create, stream.configure]) {
      expect(fieldsNotCovered(TopicSettingsSchema, commandOf(streamCommands, method))).toEqual([]);
    }
  });
});

describe('the commands of a service', () => {
  it.each(SERVICES)('$name: no two share a name or alias', (_service, commands) => {
    const names = commands.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    expect(names).toEqual([...new Set(names)]);
  });

  it.each(SERVICES)(
    '$name: options are in kebab case and their short forms are unique',
    (_service, commands) => {
      for (const { specs } of commands) {
        const shorts = Object.values(specs).flatMap((spec) =>
          spec.role === 'option' ? (spec.short ?? []) : [],
        );
        // Those that every command has.
        expect([...new Set([...shorts, 's', 'o'])]).toHaveLength(shorts.length + 2);
        for (const field of Object.keys(specs)) expect(optionName(field)).toMatch(/^[a-z]+(-[a-z]+)*$/);
      }
    },
  );
});
