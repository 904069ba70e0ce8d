/** One page of keys over several groups: a page of each, merged by key. */
import type { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../../state/failure.ts';
import type { Entry, Page, PageOptions } from '../../state/kv/page.ts';
import { NO_GROUP_KNOWN, type ServiceGroup } from '../groups.ts';

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

/**
 * Merges pages of distinct keys. Where a group's page ended early, its keys behind that are unknown, so the merged page
 * ends at the nearest such place.
 */
export function mergePages(pages: readonly Page[], options: PageOptions): Page {
  const [only] = pages;
  if (pages.length === 1 && only !== undefined) return only;
  const before = options.reverse ? (a: string, b: string) => a > b : (a: string, b: string) => a < b;
  let reached: string | undefined;
  for (const page of pages) {
    if (page.reached !== undefined && (reached === undefined || before(page.reached, reached))) {
      reached = page.reached;
    }
  }
  const entries: Entry[] = [];
  let bytes = 0;
  const next = pages.map(() => 0);
  for (;;) {
    let nearest: Entry | undefined;
    let from = -1;
    pages.forEach((page, i) => {
      const entry = page.entries[next[i] as number];
      if (entry === undefined || (nearest !== undefined && !before(entry.key, nearest.key))) return;
      nearest = entry;
      from = i;
    });
    if (nearest === undefined || (reached !== undefined && before(reached, nearest.key))) {
      return { entries, reached };
    }
    const size = nearest.key.length + (options.keysOnly ? 0 : nearest.record.length);
    const full = entries.length >= options.limit || (entries.length > 0 && bytes + size > options.maxBytes);
    if (full) return { entries, reached: entries.at(-1)?.key };
    entries.push(nearest);
    bytes += size;
    next[from] = (next[from] as number) + 1;
  }
}
