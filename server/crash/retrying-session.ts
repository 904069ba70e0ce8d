/** A session that sends a call again after every restart of the node, until it is answered. */
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { ErrorReason } from '../src/gen/gomsg/v1/common_pb.js';
import { PipelineService } from '../src/gen/gomsg/v1/pipeline_pb.js';
import { type CallError, isReason } from '../src/testing/call-error.ts';
import { PipelineClient } from '../src/testing/pipeline-client.ts';
import type { Tally } from './tally.ts';

interface Unanswered {
  sent: boolean;
  /** @returns whether it is answered */
  send(client: PipelineClient, retry: boolean): Promise<boolean>;
}

export class RetryingSession {
  readonly #tally: Tally;
  readonly #unanswered = new Map<number, Unanswered>();
  #client: PipelineClient | undefined;
  #sessionId = 0n;
  #lastSequence = 0;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** The node serves at this address: everything unanswered is sent again. */
  attach(address: string): void {
    const client = new PipelineClient(address);
    this.#client = client;
    // Without a session the lost answer of OpenSession costs nothing but a number.
    if (this.#sessionId !== 0n) this.#sendAll(client);
    else
      client.call(PipelineService.method.openSession, {}).then(
        ({ sessionId }) => {
          this.#sessionId = sessionId;
          this.#sendAll(client);
        },
        () => {}, // The node died; the next attach opens one.
      );
  }

  /** The node is gone. */
  detach(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  /** @throws CallError the answer of the node, when that is a failure which more tries will not change */
  call<I extends DescMessage, O extends DescMessage>(
    desc: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const sequence = ++this.#lastSequence;
    return new Promise((resolve, reject) => {
      const unanswered: Unanswered = {
        sent: false,
        send: async (client, retry) => {
          try {
            const response = await client.call(desc, request, {
              sessionId: this.#sessionId,
              sequence,
              answeredBelow: this.#answeredBelow(),
              retry,
            });
            resolve(response);
          } catch (error) {
            if (comesAgain(error as CallError)) return false;
            reject(error);
          }
          return true;
        },
      };
      this.#unanswered.set(sequence, unanswered);
      if (this.#client !== undefined && this.#sessionId !== 0n) {
        void this.#send(this.#client, sequence, unanswered);
      }
    });
  }

  #sendAll(client: PipelineClient): void {
    if (this.#client !== client) return;
    for (const [sequence, unanswered] of this.#unanswered) void this.#send(client, sequence, unanswered);
  }

  async #send(client: PipelineClient, sequence: number, unanswered: Unanswered): Promise<void> {
    const retry = unanswered.sent;
    unanswered.sent = true;
    if (retry) this.#tally.callsRepeated++;
    if (await unanswered.send(client, retry)) {
      this.#unanswered.delete(sequence);
      this.#tally.writesAcknowledged++;
    }
  }

  /** Sequences rise in the order of the map, so its first is the oldest that is not answered. */
  #answeredBelow(): number {
    return this.#unanswered.keys().next().value ?? this.#lastSequence + 1;
  }
}

/** The connection or the node went away before the answer: it is asked again once there is a node. */
function comesAgain(error: CallError): boolean {
  return isReason(error, ErrorReason.UNSPECIFIED, ErrorReason.DRAINING, ErrorReason.CANCELED);
}
