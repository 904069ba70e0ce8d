/**
 * Calls whose requests were encoded before the row began. The load shares the machine with the server, so it is to cost
 * as little as a client of the pipeline can: no message is built, and no answer is decoded but for its length.
 */
import { type PipelineClient, pipelineMethod } from '@gomsg/client/pipeline';

/** Makes one call about a key, queue or topic of this name; resolves with the length of the answer. */
export type EncodedCall = (request: Uint8Array, name: string) => Promise<number>;

export function encodedCall(client: PipelineClient, desc: Parameters<typeof pipelineMethod>[0]): EncodedCall {
  const method = pipelineMethod(desc);
  return (request, name) =>
    new Promise((resolve, reject) => {
      const listener = { answered: (response: Uint8Array) => resolve(response.length), failed: reject };
      client.submit(method, request, listener, undefined, name);
    });
}
