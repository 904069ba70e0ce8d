import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Logger } from '../../observe/logger.ts';
import { methodPath } from '../unknown-method.ts';
import { type Interceptor, watched } from './intercept.ts';

/** Logs failures that are the server's own as warnings, and with level debug every call. Never payloads. */
export function logging(log: Logger): Interceptor {
  return (method) => {
    const path = methodPath(method);
    return watched<number>(method, {
      begin: () => performance.now(),
      end: (began_ms, context, failure) => {
        const internal = failure?.reason === ErrorReason.INTERNAL;
        if (!internal && !log.isLevelEnabled('debug')) return;
        const call = {
          method: path,
          protocol: context.protocol,
          peer: context.peer,
          duration_ms: Math.round((performance.now() - began_ms) * 1000) / 1000,
          ...(failure && { reason: ErrorReason[failure.reason], error: failure.message }),
        };
        if (internal) log.warn(call, 'call failed inside the server');
        else log.debug(call, 'call');
      },
    });
  };
}
