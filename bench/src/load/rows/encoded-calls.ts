/**
 * Calls whose requests were encoded before the row began. The load shares the machine with the server, so it is to cost
 * as little as a client of the pipeline can: no message is built, and no answer is decoded but for its length.
 */
import { type PipelineClient, pipelineMethod } from '@gomsg/client/pipeline';

/** Makes one call; resolves with the length of the answer. */
export type EncodedCall = (request: Uint8Array) => Promise<number>;

export function encodedCall(client: PipelineClient, desc: Parameters<typeof pipelineMethod>[0]): EncodedCall {
  const method = pipelineMethod(desc);
  return (request) =>
    new Promise((resolve, reject) => {
      client.submit(method, request, { answered: (response) => resolve(response.length), failed: reject });
    });
}
