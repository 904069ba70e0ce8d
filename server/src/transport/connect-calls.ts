/** Methods as connect-es calls them: it has decoded the message, and the method wants bytes. */
import { fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import { ConnectError, type HandlerContext } from '@connectrpc/connect';
import type { BidiStreamingMethod, ServerStreamingMethod, UnaryMethod } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import { ConnectCallContext } from './connect-context.ts';
import { ConnectDuplex } from './connect-duplex.ts';
import { toConnectError } from './connect-error.ts';
import { abandoned, DRAINING, type ReportBug, stopProducer, toFailure } from './failures.ts';
import type { StreamOptions } from './grpc-server-stream.ts';
import { Stoppable } from './stoppable.ts';
import { methodPath } from './unknown-method.ts';

export function connectUnary(method: UnaryMethod, report: ReportBug) {
  const { input, output } = method.desc;
  const path = methodPath(method);
  return (message: Message, call: HandlerContext): Promise<Message> =>
    new Promise((resolve, reject) => {
      try {
        const context = new ConnectCallContext(call);
        // connect-es does not end a unary call at its deadline by itself.
        const leave = () => reject(toConnectError(abandoned(context.deadline_ms)));
        context.signal.addEventListener('abort', leave, { once: true });
        method.handle(toBinary(input, message), context, {
          ok: (response) => {
            context.signal.removeEventListener('abort', leave);
            resolve(fromBinary(output, response));
          },
          fail: (failure) => {
            context.signal.removeEventListener('abort', leave);
            reject(toConnectError(failure));
          },
        });
      } catch (error) {
        reject(toConnectError(toFailure(error, path, report)));
      }
    });
}

export function connectServerStream(method: ServerStreamingMethod, options: StreamOptions) {
  const { input, output } = method.desc;
  const path = methodPath(method);
  return async function* (message: Message, call: HandlerContext): AsyncGenerator<Message> {
    const { draining, report } = options;
    let drain = () => {};
    try {
      const context = new ConnectCallContext(call);
      const producer = method.handle(toBinary(input, message), context)[Symbol.asyncIterator]();
      const messages = new Stoppable(producer);
      const stop = (failure: Failure) => {
        draining.removeEventListener('abort', drain);
        if (messages.stop(toConnectError(failure))) stopProducer(producer, path, report);
      };
      drain = () => stop(DRAINING);
      // connect-es leaves this generator suspended for good when the caller goes away in the middle of a write: what
      // must be undone is undone here as well as below.
      context.signal.addEventListener('abort', () => stop(abandoned(context.deadline_ms)), { once: true });
      draining.addEventListener('abort', drain);
      if (draining.aborted) drain();
      for (let next = await messages.next(); !next.done; next = await messages.next()) {
        yield fromBinary(output, next.value);
      }
    } catch (error) {
      throw error instanceof ConnectError ? error : toConnectError(toFailure(error, path, report));
    } finally {
      draining.removeEventListener('abort', drain);
    }
  };
}

/** Only over HTTP/2: connect-es refuses bidirectional calls over HTTP/1.1, which cannot carry them. */
export function connectBidi(method: BidiStreamingMethod, options: StreamOptions) {
  const { input, output } = method.desc;
  const path = methodPath(method);
  return async function* (requests: AsyncIterable<Message>, call: HandlerContext): AsyncGenerator<Message> {
    let stream: ConnectDuplex | undefined;
    try {
      const context = new ConnectCallContext(call);
      stream = new ConnectDuplex(context.signal, path, options);
      method.handle(stream, context);
      void stream.read(encoded(requests, (message) => toBinary(input, message)));
      for await (const response of stream.responses()) yield fromBinary(output, response);
    } catch (error) {
      throw toConnectError(toFailure(error, path, options.report));
    } finally {
      stream?.close();
    }
  };
}

async function* encoded(messages: AsyncIterable<Message>, encode: (message: Message) => Uint8Array) {
  for await (const message of messages) yield encode(message);
}
