/** Methods that do next to nothing, on descriptors of the real contract: what the tests of the port serve. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  KVService,
  KVServiceGetRequestSchema,
  KVServiceGetResponseSchema,
  KVServiceWatchRequestSchema,
  KVServiceWatchResponseSchema,
} from '../../gen/gomsg/v1/kv_pb.js';
import { PipelineService } from '../../gen/gomsg/v1/pipeline_pb.js';
import { ErrorReason, GomsgError } from '../../services/errors.ts';
import type { CallContext, Method } from '../../services/method.ts';
import { decodeRequest } from '../failures.ts';

/** What the methods saw, for tests to look at. */
export interface ToyLog {
  readonly contexts: CallContext[];
  /** Messages that Watch was asked for, over all its calls. */
  pulled: number;
  /** Calls of Watch that were told to stop. */
  returned: number;
  /** Pipeline streams that closed. */
  closed: number;
}

/** Size of each message of Watch when the key is `endless`. */
export const ENDLESS_MESSAGE_BYTES = 16 * 1024;

/**
 * - `Get`: echoes the key as the value; keys `missing`, `busy`, `bug`, `hang` fail or never answer.
 * - `Watch`: three events; prefix `endless` gives events for ever, `idle` waits for the end of the call.
 * - `Execute`: echoes every message; echoes the half-close too.
 */
export function toyMethods(): { methods: Method[]; log: ToyLog } {
  const log: ToyLog = { contexts: [], pulled: 0, returned: 0, closed: 0 };
  return { log, methods: [get(log), watch(log), execute(log)] };
}

function get(log: ToyLog): Method {
  return {
    kind: 'unary',
    desc: KVService.method.get,
    number: 1,
    handle: (request, context, reply) => {
      log.contexts.push(context);
      const { key } = decodeRequest(KVServiceGetRequestSchema, request);
      switch (key) {
        case 'missing':
          reply.fail({ reason: ErrorReason.KEY_NOT_FOUND, message: `no key ${key} — nowhere`, subject: key });
          return;
        case 'busy':
          reply.fail({ reason: ErrorReason.OVERLOADED, message: 'too much at once', retryAfter_ms: 1500 });
          return;
        case 'bug':
          throw new TypeError('a bug in the handler');
        case 'hang':
          context.signal.addEventListener('abort', () => reply.fail(context.signal.reason));
          return;
        default: {
          const value = new TextEncoder().encode(key);
          const response = create(KVServiceGetResponseSchema, { value });
          reply.ok(toBinary(KVServiceGetResponseSchema, response));
        }
      }
    },
  };
}

function watch(log: ToyLog): Method {
  return {
    kind: 'server_streaming',
    desc: KVService.method.watch,
    number: 2,
    handle: (request, context) => {
      log.contexts.push(context);
      const { target } = decodeRequest(KVServiceWatchRequestSchema, request);
      const wanted = target.case === 'prefix' ? target.value : '';
      if (wanted === 'refused') throw new GomsgError({ reason: ErrorReason.COMPACTED, message: 'too old' });
      let given = 0;
      const size = wanted === 'endless' ? ENDLESS_MESSAGE_BYTES : 1;
      const response = create(KVServiceWatchResponseSchema, {
        resumeToken: new Uint8Array(size),
      });
      const message = toBinary(KVServiceWatchResponseSchema, response);
      return {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            log.pulled += 1;
            if (wanted === 'idle') await new Promise(() => {});
            if (wanted !== 'endless' && given === 3) return { done: true, value: undefined };
            given += 1;
            return { done: false, value: message };
          },
          return: async () => {
            log.returned += 1;
            return { done: true, value: undefined };
          },
        }),
      };
    },
  };
}

function execute(log: ToyLog): Method {
  return {
    kind: 'bidi_streaming',
    desc: PipelineService.method.execute,
    number: 501,
    handle: (stream, context) => {
      log.contexts.push(context);
      stream.onMessage((message) => {
        if (!stream.write(message)) stream.pause();
      });
      stream.onDrain(() => stream.resume());
      stream.onEnd(() => stream.end());
      stream.onClose(() => {
        log.closed += 1;
      });
    },
  };
}
