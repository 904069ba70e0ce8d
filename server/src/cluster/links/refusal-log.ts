/**
 * Says why there is no link: once for each peer and kind of reason in a while, however often it is tried and whatever the
 * other side puts into its words.
 */
import type { Logger } from '../../observe/logger.ts';
import { LinkRefusedError } from './handshake.ts';

/** Peers that are remembered; the one remembered longest is forgotten first. */
const REMEMBERED_PEERS = 256;

/** The kind of what is no refusal: nobody there, a broken connection, silence. */
const LOST = 'lost';

type Kind = LinkRefusedError['reason'] | typeof LOST;

export class RefusalLog {
  readonly #logger: Logger;
  readonly #interval_ms: number;
  readonly #monotonic: () => number;
  /** By peer, when each kind was last said. */
  readonly #said = new Map<string, Map<Kind, number>>();

  /** The same kind of reason of the same peer is said again after `interval_ms`. */
  constructor(logger: Logger, interval_ms: number, monotonic: () => number) {
    this.#logger = logger;
    this.#interval_ms = interval_ms;
    this.#monotonic = monotonic;
  }

  log(peer: string, why: Error, fields: Readonly<Record<string, unknown>>, line: string): void {
    const kind = why instanceof LinkRefusedError ? why.reason : LOST;
    const now_ms = this.#monotonic();
    const said = this.#said.get(peer) ?? new Map<Kind, number>();
    const saidAt_ms = said.get(kind);
    if (saidAt_ms !== undefined && now_ms - saidAt_ms < this.#interval_ms) return;
    this.#said.set(peer, said.set(kind, now_ms));
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= REMEMBERED_PEERS) break;
      this.#said.delete(oldest);
    }
    this.#logger.warn({ ...fields, why: why.message }, line);
  }

  /** All is well with the peer: what comes next is news. */
  forget(peer: string): void {
    this.#said.delete(peer);
  }
}
