import type { Duration } from '@bufbuild/protobuf/wkt';
import type { Failure } from '../../state/failure.ts';
import type { SessionCall } from '../method.ts';

/** Who waits for messages of a queue: a Pop call or a consumer. */
export interface Taker {
  /** Lease of its deliveries; undefined = the queue's setting. */
  readonly lease: Duration | undefined;
  /** Most messages that it takes now; 0 = none, it is not in line. */
  readonly wanted: number;
  /** The taker is gone: what was popped for it is given back. */
  readonly gone: boolean;
  /**
   * A pop is about to be proposed for it; `take`, `missed` or `fail` follows. Returns the session call to make it in. A
   * session remembers one outcome a call, so once a pop was made in it, later ones are made without.
   */
  served(): SessionCall | undefined;
  /** Gets the encoded deliveries of a pop that was made for it; never empty. */
  take(popResponse: Uint8Array): void;
  /** The pop that was made for it brought nothing: others were faster, or it was refused for now. */
  missed(): void;
  /** Its pop failed for good. The taker leaves the line by itself. */
  fail(failure: Failure): void;
}
