import type { GroupRouter } from '../groups.ts';

/** What the methods of KVService work with. */
export interface KvDeps {
  readonly router: GroupRouter;
  readonly limits: KvLimits;
}

/** The node's settings of the same names. */
export interface KvLimits {
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
  /** Largest request or response. */
  readonly maxFrameBytes: number;
}
