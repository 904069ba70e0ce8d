/** One page out of several that are each in order. */

/** What one source has for a page. */
export interface SourcePage<E> {
  /** In order, each with a key that no other source has. */
  readonly entries: readonly E[];
  /** Key up to which the source was looked at, when there may be more behind it; undefined at its end. */
  readonly reached: string | undefined;
}

export interface MergeOptions<E> {
  /** From the last key to the first. */
  readonly reverse?: boolean | undefined;
  /** Most entries, at least 1. */
  readonly limit: number;
  /** Bytes that a further entry may not exceed; there is always one entry. */
  readonly maxBytes: number;
  readonly sizeOf: (entry: E) => number;
}

/**
 * Merges pages of distinct keys. Where a source's page ended early, its keys behind that are unknown, so the merged page
 * ends at the nearest such place.
 */
export function mergeOrdered<E extends { readonly key: string }>(
  pages: readonly SourcePage<E>[],
  { reverse, limit, maxBytes, sizeOf }: MergeOptions<E>,
): SourcePage<E> {
  const before = reverse ? (a: string, b: string) => a > b : (a: string, b: string) => a < b;
  let reached: string | undefined;
  for (const page of pages) {
    if (page.reached !== undefined && (reached === undefined || before(page.reached, reached))) {
      reached = page.reached;
    }
  }
  const entries: E[] = [];
  let bytes = 0;
  const next = pages.map(() => 0);
  for (;;) {
    let nearest: E | undefined;
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
    const size = sizeOf(nearest);
    const full = entries.length >= limit || (entries.length > 0 && bytes + size > maxBytes);
    if (full) return { entries, reached: entries.at(-1)?.key };
    entries.push(nearest);
    bytes += size;
    next[from] = (next[from] as number) + 1;
  }
}
