/** Methods as connect-es calls them: it has decoded the message, and the method wants bytes. */
import { fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import type { BidiStreamingMethod, ServerStreamingMethod, UnaryMethod } from '../services/method.ts';
import { ConnectCallContext } from './connect-context.ts';
import { ConnectDuplex } from './connect-duplex.ts';
import { toConnectError } from './connect-error.ts';
import { abandoned, DRAINING, type ReportBug, stopProducer, toFailure } from './failures.ts';
import type { StreamOptions } from './grpc-server-stream.ts';
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
    let messages: AsyncIterator<Uint8Array> | undefined;
    const stopped = Promise.withResolvers<never>();
    // Nobody may be waiting when the caller goes away.
    stopped.promise.catch(() => {});
    const drain = () => stopped.reject(toConnectError(DRAINING));
    try {
      const context = new ConnectCallContext(call);
      messages = method.handle(toBinary(input, message), context)[Symbol.asyncIterator]();
      const producer = messages;
      context.signal.addEventListener('abort', () => {
        stopped.reject(toConnectError(abandoned(context.deadline_ms)));
        // connect-es leaves this generator suspended when the caller goes away in the middle of a write.
        stopProducer(producer, path, options.report);
      });
      options.draining.addEventListener('abort', drain);
      if (options.draining.aborted) drain();
      for (;;) {
        const next = await Promise.race([messages.next(), stopped.promise]);
        if (next.done) return;
        yield fromBinary(output, next.value);
      }
    } catch (error) {
      throw error instanceof Error && error.name === 'ConnectError'
        ? error
        : toConnectError(toFailure(error, path, options.report));
    } finally {
      options.draining.removeEventListener('abort', drain);
      if (messages !== undefined) stopProducer(messages, path, options.report);
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
