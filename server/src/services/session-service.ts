/** The unary methods of PipelineService: sessions, which the log hands out and every group remembers. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  PipelineService,
  PipelineServiceCloseSessionResponseSchema,
  PipelineServiceOpenSessionResponseSchema,
} from '../gen/gomsg/v1/pipeline_pb.js';
import { msToDuration } from '../state/durations.ts';
import type { Failure } from '../state/failure.ts';
import { unary } from './decode.ts';
import { type GroupRouter, NO_GROUP_KNOWN, type ServiceGroup } from './groups.ts';
import type { Method, Reply } from './method.ts';

export interface SessionDeps {
  readonly router: GroupRouter;
  readonly sessionIdleTimeout_ms: number;
}

export function sessionMethods({ router, sessionIdleTimeout_ms }: SessionDeps): Method[] {
  const { openSession, closeSession } = PipelineService.method;
  // The response of the log holds the id; the timeout is this node's setting. Concatenated messages merge.
  const idleTimeout = toBinary(
    PipelineServiceOpenSessionResponseSchema,
    create(PipelineServiceOpenSessionResponseSchema, { idleTimeout: msToDuration(sessionIdleTimeout_ms) }),
  );
  return [
    unary(openSession, (request, { payload, number, context, reply }) => {
      // One group hands out all ids, so that no two sessions share one.
      const [group] = router.dataGroups();
      if (group === undefined) {
        reply.fail(NO_GROUP_KNOWN);
        return;
      }
      group.submit({
        method: number,
        payload,
        request,
        session: undefined,
        canGoElsewhere: context.canGoElsewhere,
        reply: {
          ok: (response) => reply.ok(Buffer.concat([response, idleTimeout])),
          fail: (failure) => reply.fail(failure),
        },
      });
    }),
    unary(closeSession, (request, { payload, number, reply }) => {
      const answer = toBinary(
        PipelineServiceCloseSessionResponseSchema,
        create(PipelineServiceCloseSessionResponseSchema),
      );
      const groups = router.dataGroups();
      if (groups.length === 0) reply.fail(NO_GROUP_KNOWN);
      const all = allOf(groups, answer, reply);
      for (const group of groups) {
        group.submit({ method: number, payload, request, session: undefined, reply: all });
      }
    }),
  ];
}

/** Answers once every group has, with the first failure if there was one. */
function allOf(groups: readonly ServiceGroup[], answer: Uint8Array, reply: Reply): Reply {
  let left = groups.length;
  let failed: Failure | undefined;
  const done = (): void => {
    if (--left > 0) return;
    if (failed === undefined) reply.ok(answer);
    else reply.fail(failed);
  };
  return {
    ok: done,
    fail: (failure) => {
      failed ??= failure;
      done();
    },
  };
}
