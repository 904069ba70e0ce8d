/** The standard gRPC health service, and the pages by which probes ask the same. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { Exposition } from '../observe/exposition.ts';
import type { Health } from '../observe/health.ts';
import type { CallContext, Method } from '../services/method.ts';
import { CodedError, decodeRequest } from './failures.ts';
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  Health as HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from './gen/grpc/health/v1/health_pb.js';
import type { Page, Pages } from './http-server.ts';

/** google.rpc.Code, as the health protocol prescribes for an unknown service. */
const NOT_FOUND = 5;

/** Health is no part of the pipeline, so its methods have no number there. */
const NO_NUMBER = 0;

/**
 * The health service. A node's services stand and fall together, so each of them has the status of the node.
 *
 * @param services full names of the services that callers may ask for.
 */
export function healthMethods(health: Health, services: Iterable<string>): Method[] {
  const known = new Set(['', ...services]);
  const { check, list, watch } = HealthService.method;
  return [
    {
      kind: 'unary',
      desc: check,
      number: NO_NUMBER,
      handle: (request, _context, reply) => {
        const { service } = decodeRequest(HealthCheckRequestSchema, request);
        if (known.has(service)) reply.ok(encodeStatus(statusOf(health)));
        else reply.fail(new CodedError(NOT_FOUND, `this server has no service ${service.slice(0, 200)}`));
      },
    },
    {
      kind: 'unary',
      desc: list,
      number: NO_NUMBER,
      handle: (_request, _context, reply) => {
        const status = { status: statusOf(health) };
        const statuses = Object.fromEntries([...known].map((service) => [service, status]));
        reply.ok(toBinary(HealthListResponseSchema, create(HealthListResponseSchema, { statuses })));
      },
    },
    {
      kind: 'server_streaming',
      desc: watch,
      number: NO_NUMBER,
      handle: (request, context) => {
        const { service } = decodeRequest(HealthCheckRequestSchema, request);
        return known.has(service)
          ? statuses(health, context, () => statusOf(health))
          : statuses(health, context, () => ServingStatus.SERVICE_UNKNOWN);
      },
    },
  ];
}

/** The status now, and again after each change that the caller had room for; what it missed in between is dropped. */
async function* statuses(health: Health, context: CallContext, read: () => ServingStatus) {
  let changed = Promise.withResolvers<void>();
  const stop = health.onChange(() => changed.resolve());
  const leave = () => changed.resolve();
  context.signal.addEventListener('abort', leave);
  try {
    let last: ServingStatus | undefined;
    while (!context.signal.aborted) {
      const status = read();
      if (status !== last) {
        last = status;
        yield encodeStatus(status);
        // It may have changed while the message was on its way.
        if (read() !== status) continue;
      }
      await changed.promise;
      changed = Promise.withResolvers();
    }
  } finally {
    stop();
    context.signal.removeEventListener('abort', leave);
  }
}

function statusOf(health: Health): ServingStatus {
  return health.report().ready ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}

function encodeStatus(status: ServingStatus): Uint8Array {
  return toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status }));
}

/** `/healthz`, `/readyz` and `/metrics`. */
export function probePages(health: Health, exposition: Exposition): Pages {
  return {
    '/healthz': () => {
      const report = health.report();
      return probe(report.live, report.live ? ['ok'] : report.reasons);
    },
    '/readyz': () => {
      const report = health.report();
      return probe(report.ready, report.ready ? ['ok'] : report.reasons);
    },
    '/metrics': async () => ({
      status: 200,
      contentType: exposition.contentType,
      body: await exposition.text(),
    }),
  };
}

function probe(well: boolean, lines: readonly string[]): Page {
  return {
    status: well ? 200 : 503,
    contentType: 'text/plain; charset=utf-8',
    body: `${lines.join('\n')}\n`,
  };
}
