/** A server-streaming call that another node answers. */
import { GomsgError } from '../../services/errors.ts';
import type { DialledStream } from './dialled-stream.ts';
import { decodeStreamResponse, encodeStreamCall } from './forward-codec.ts';
import { type ForwardedCall, failureOf } from './forwarded-call.ts';
import { dialHandshake, LinkLostError, lateRefusal, StreamPurpose } from './handshake.ts';
import { IncomingChunks } from './incoming-chunks.ts';
import type { LinkContext } from './link-context.ts';
import type { NodeLocation } from './options.ts';
import { lostFailure, notSentFailure } from './pending-calls.ts';

/**
 * Encoded responses, pulled as they are read. Fails with a GomsgError: that of the other node; or NOT_LEADER when nothing
 * was sent, NO_QUORUM when the stream was lost. `return()` cancels the call.
 */
export function callStream(
  stream: DialledStream,
  target: NodeLocation & { readonly number: number },
  context: LinkContext,
  call: ForwardedCall,
): AsyncIterator<Uint8Array> {
  const { nodeId } = target;
  const { self, secret, limits } = context;
  const responses = new IncomingChunks(stream, () =>
    stream.abort(new LinkLostError('the call was cancelled')),
  );
  const options = {
    self,
    secret,
    purpose: StreamPurpose.FORWARD,
    target,
    timeout_ms: limits.handshakeTimeout_ms,
  };
  dialHandshake(stream, options, (outcome) => {
    if (outcome instanceof Error) {
      responses.fail(new GomsgError(notSentFailure(nodeId, outcome.message)));
      stream.abort(outcome);
      return;
    }
    const lose = (why: string): void => {
      responses.fail(new GomsgError(lostFailure(nodeId, why)));
      stream.abort(new LinkLostError(why));
    };
    stream.listen({
      message: (bytes) => receive(bytes, responses, lose),
      ended: () => lose('the other side ended it'),
      drained: () => {},
      closed: (why) => lose(why?.message ?? 'the other side ended it'),
    });
    // Not half-closed: the other side takes that for the drain of its port.
    stream.write(encodeStreamCall(call));
  });
  return responses;
}

function receive(bytes: Uint8Array, responses: IncomingChunks, lose: (why: string) => void): void {
  const refusal = lateRefusal(bytes);
  if (refusal !== undefined) {
    lose(refusal.message);
    return;
  }
  try {
    const { messages, failure, ended } = decodeStreamResponse(bytes);
    for (const message of messages) responses.push(message);
    if (failure !== undefined) responses.fail(new GomsgError(failureOf(failure)));
    else if (ended) responses.finish();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    lose(error.message);
  }
}
