/** Says why there is no link, once for as long as nothing changes, however often it is tried. */
import type { Logger } from '../../observe/logger.ts';

/** Peers whose last reason is remembered; the one remembered longest is forgotten first. */
const REMEMBERED_PEERS = 256;

interface Said {
  readonly message: string;
  readonly at_ms: number;
}

export class RefusalLog {
  readonly #logger: Logger;
  readonly #interval_ms: number;
  readonly #monotonic: () => number;
  readonly #said = new Map<string, Said>();

  /** The same reason of the same peer is said again after `interval_ms`. */
  constructor(logger: Logger, interval_ms: number, monotonic: () => number) {
    this.#logger = logger;
    this.#interval_ms = interval_ms;
    this.#monotonic = monotonic;
  }

  log(peer: string, why: Error, fields: Readonly<Record<string, unknown>>, line: string): void {
    const now_ms = this.#monotonic();
    const said = this.#said.get(peer);
    if (said !== undefined && said.message === why.message && now_ms - said.at_ms < this.#interval_ms) return;
    this.#said.delete(peer);
    this.#said.set(peer, { message: why.message, at_ms: now_ms });
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= REMEMBERED_PEERS) break;
      this.#said.delete(oldest);
    }
    this.#logger.warn({ ...fields, why: why.message }, line);
  }
}
