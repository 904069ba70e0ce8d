/** Calls outside any session, each sent once: after a lost answer nobody knows. */
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { ErrorReason } from '../src/gen/gomsg/v1/common_pb.js';
import { isReason } from '../src/testing/call-error.ts';
import { NodeClient } from '../src/testing/node-client.ts';
import type { Tally } from './tally.ts';

export class OnceCaller {
  readonly #tally: Tally;
  #client: NodeClient | undefined;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  get client(): NodeClient | undefined {
    return this.#client;
  }

  attach(address: string): void {
    this.#client = new NodeClient(address);
  }

  detach(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  /** The answer; undefined when it was lost. @throws CallError the node's failure */
  async call<I extends DescMessage, O extends DescMessage>(
    desc: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O> | undefined> {
    try {
      const response = await this.#client?.unary(desc, request);
      if (response !== undefined) this.#tally.writesAcknowledged++;
      return response;
    } catch (error) {
      if (!isReason(error, ErrorReason.UNSPECIFIED, ErrorReason.DRAINING, ErrorReason.CANCELED)) throw error;
      this.#tally.writesInDoubt++;
      return undefined;
    }
  }
}
