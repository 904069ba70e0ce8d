import type { ReportBug } from '../../state/guarded-listener.ts';
import type { GroupRouter } from '../groups.ts';

/** What the methods of QueueService work with. */
export interface QueueDeps {
  readonly router: GroupRouter;
  readonly limits: QueueLimits;
  /**
   * Aborted when the node begins to shut down, with the GomsgError that waiting pops and consumers then get: a node must
   * not wait for them. Unset = never.
   */
  readonly draining?: AbortSignal;
  /** Told of a bug that cost no more than streams. Unset = it is thrown. */
  readonly reportBug?: ReportBug;
}

/** The node's settings of the same names. */
export interface QueueLimits {
  /** Largest payload of a message with its headers. */
  readonly maxMessageBytes: number;
}
