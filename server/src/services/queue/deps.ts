import type { GroupRouter } from '../groups.ts';

/** What the methods of QueueService work with. */
export interface QueueDeps {
  readonly router: GroupRouter;
  readonly limits: QueueLimits;
}

/** The node's settings of the same names. */
export interface QueueLimits {
  /** Largest payload of a message with its headers. */
  readonly maxMessageBytes: number;
}
