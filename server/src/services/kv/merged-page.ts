/** One page of keys over several groups: a page of each, merged by key. */
import type { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../../state/failure.ts';
import type { Entry, Page, PageOptions } from '../../state/kv/page.ts';
import { NO_GROUP_KNOWN, type ServiceGroup } from '../groups.ts';
import { mergeOrdered } from '../merge-ordered.ts';

/**
 * How much more than its even share of a page each group is asked for. Keys are spread evenly by their hash: with twice
 * the share most pages come out full, and no answer makes the groups read more than two of it.
 */
const SHARE_FACTOR = 2;

export interface MergedPage extends Page {
  /** Group id → revision of its keys at the read. */
  readonly revisions: ReadonlyMap<number, number>;
}

/** Reads a page of every group and hands out the merged one, or the first failure. */
export function readMergedPage(
  groups: readonly ServiceGroup[],
  consistency: Consistency,
  options: PageOptions,
  done: (page: MergedPage) => void,
  fail: (failure: Failure) => void,
): void {
  if (groups.length === 0) {
    fail(NO_GROUP_KNOWN);
    return;
  }
  const part = partOf(options, groups.length);
  const pages: Page[] = [];
  const revisions = new Map<number, number>();
  let failed = false;
  for (const group of groups) {
    group.read(
      consistency,
      (state, now_ms) => {
        if (failed) return;
        pages.push(state.kv.page(part, now_ms));
        revisions.set(group.id, state.kv.revision);
        if (pages.length === groups.length) done({ ...mergePages(pages, options), revisions });
      },
      (failure) => {
        if (failed) return;
        failed = true;
        fail(failure);
      },
    );
  }
}

/** What one of several groups is asked for. */
function partOf(options: PageOptions, groups: number): PageOptions {
  if (groups === 1) return options;
  const share = SHARE_FACTOR / groups;
  return {
    ...options,
    limit: Math.min(options.limit, Math.ceil(options.limit * share)),
    maxBytes: Math.min(options.maxBytes, Math.ceil(options.maxBytes * share)),
    groups,
  };
}

/** Merges pages of distinct keys into one. */
export function mergePages(pages: readonly Page[], options: PageOptions): Page {
  const [only] = pages;
  if (pages.length === 1 && only !== undefined) return only;
  const { reverse, limit, maxBytes, keysOnly } = options;
  const sizeOf = keysOnly
    ? ({ key }: Entry) => key.length
    : ({ key, record }: Entry) => key.length + record.length;
  return mergeOrdered(pages, { reverse, limit, maxBytes, sizeOf });
}
