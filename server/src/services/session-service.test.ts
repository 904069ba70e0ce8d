import { toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import {
  PipelineService,
  PipelineServiceCloseSessionResponseSchema,
  PipelineServiceOpenSessionResponseSchema,
} from '../gen/gomsg/v1/pipeline_pb.js';
import type { Failure } from '../state/failure.ts';
import { ErrorReason } from './errors.ts';
import type { GroupRouter, Proposal, ServiceGroup } from './groups.ts';
import { sessionMethods } from './session-service.ts';
import { call } from './testing/call.ts';

const rpc = PipelineService.method;

/** A group that keeps its proposals until the test answers them. */
class KeepingGroup implements ServiceGroup {
  readonly id: number;
  readonly isLeader = true;
  readonly proposals: Proposal[] = [];

  constructor(id: number) {
    this.id = id;
  }

  submit(proposal: Proposal): void {
    this.proposals.push(proposal);
  }

  read(): void {
    throw new Error('sessions are not read');
  }

  onRoleChange(): () => void {
    return () => {};
  }

  get reply() {
    return this.proposals[0]!.reply;
  }
}

function service(groupCount: number) {
  const groups = Array.from({ length: groupCount }, (_, i) => new KeepingGroup(i + 1));
  const router: GroupRouter = {
    groupOf: () => {
      throw new Error('sessions have no slot');
    },
    dataGroups: () => groups,
  };
  return { groups, methods: sessionMethods({ router, sessionIdleTimeout_ms: 90_500 }) };
}

const opened = toBinary(PipelineServiceOpenSessionResponseSchema, {
  $typeName: 'gomsg.v1.PipelineServiceOpenSessionResponse',
  sessionId: 77n,
});
const closed = toBinary(PipelineServiceCloseSessionResponseSchema, {
  $typeName: 'gomsg.v1.PipelineServiceCloseSessionResponse',
});
const overloaded: Failure = { reason: ErrorReason.OVERLOADED, message: 'busy' };

test('a session is opened by the first group alone, so that no id is given twice', async () => {
  const { groups, methods } = service(3);
  const open = call(methods, rpc.openSession, {});
  expect(groups.map(({ proposals }) => proposals.length)).toEqual([1, 0, 0]);
  expect(groups[0]!.proposals[0]).toMatchObject({ method: 502, session: undefined });
  groups[0]!.reply.ok(opened);
  expect(await open).toMatchObject({ sessionId: 77n, idleTimeout: { seconds: 90n, nanos: 500_000_000 } });
});

test('a session that could not be opened is a failure', async () => {
  const { groups, methods } = service(1);
  const open = call(methods, rpc.openSession, {});
  groups[0]!.reply.fail(overloaded);
  await expect(open).rejects.toMatchObject({ reason: ErrorReason.OVERLOADED });
});

test('without a group there is nobody to open a session', async () => {
  const { methods } = service(0);
  await expect(call(methods, rpc.openSession, {})).rejects.toMatchObject({ reason: ErrorReason.NO_QUORUM });
  await expect(call(methods, rpc.closeSession, { sessionId: 1n })).rejects.toMatchObject({
    reason: ErrorReason.NO_QUORUM,
  });
});

test('a session is closed once every group forgot it', async () => {
  const { groups, methods } = service(3);
  let isClosed = false;
  const close = call(methods, rpc.closeSession, { sessionId: 77n }).then(() => {
    isClosed = true;
  });
  expect(groups.map(({ proposals }) => proposals[0]?.method)).toEqual([503, 503, 503]);
  for (const group of [groups[2]!, groups[0]!]) group.reply.ok(closed);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  groups[1]!.reply.ok(closed);
  await close;
});

test('a close that a group refuses fails once, after the others are through', async () => {
  const { groups, methods } = service(3);
  const close = call(methods, rpc.closeSession, { sessionId: 77n });
  groups[0]!.reply.fail(overloaded);
  groups[1]!.reply.fail({ reason: ErrorReason.DISK_FULL, message: 'full' });
  groups[2]!.reply.ok(closed);
  await expect(close).rejects.toMatchObject({ reason: ErrorReason.OVERLOADED });
});
