/** Hears nodes that ask for admission. */
import type { Accepting } from './accepting.ts';
import { malformed, type PeerNode } from './handshake.ts';
import { decodeJoinRequest, encodeJoinAnswer, type JoinAnswer, type JoinRequest } from './join.ts';
import type { LinkContext } from './link-context.ts';
import type { PeerStream } from './peer-stream.ts';

export class JoinAcceptor {
  readonly #context: LinkContext;
  readonly #accepting: Accepting;

  constructor(context: LinkContext, accepting: Accepting) {
    this.#context = context;
    this.#accepting = accepting;
  }

  opened(stream: PeerStream, peer: PeerNode): void {
    let asked = false;
    stream.listen({
      message: (bytes) => {
        if (asked) return;
        asked = true;
        let request: JoinRequest;
        try {
          request = decodeJoinRequest(bytes);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          this.#accepting.refuse(stream, malformed(`${peer.nodeId} sent garbage: ${error.message}`));
          return;
        }
        void this.#answer(request).then((answer) => {
          if (stream.isClosed) return;
          stream.write(encodeJoinAnswer(answer));
          stream.end();
        });
      },
      ended: () => {
        if (!asked) stream.end();
      },
      drained: () => {},
      closed: () => {},
    });
  }

  async #answer(request: JoinRequest): Promise<JoinAnswer> {
    try {
      return await this.#context.events.onJoin(request);
    } catch (error) {
      this.#context.reportBug(error, 'a request for admission');
      return {
        kind: 'refused',
        reason: 'unavailable',
        message: `admission failed unexpectedly; the log of ${this.#context.self.nodeId} says why`,
      };
    }
  }
}
