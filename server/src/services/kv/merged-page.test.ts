import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Entry, Page, PageOptions } from '../../state/kv/page.ts';
import { mergePages } from './merged-page.ts';

const record = new Uint8Array(9);

/** A group's page over its keys, the plain way. */
function pageOf(keys: readonly string[], options: PageOptions): Page {
  const { after, reverse = false, limit } = options;
  const ordered = [...keys].sort();
  if (reverse) ordered.reverse();
  const rest = ordered.filter((key) => after === undefined || (reverse ? key < after : key > after));
  const entries: Entry[] = rest.slice(0, limit).map((key) => ({ key, record }));
  return { entries, reached: rest.length > limit ? entries.at(-1)?.key : undefined };
}

it('pages over several groups visit every key once, in order', () => {
  const keys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 40 });
  fc.assert(
    fc.property(
      keys,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      (keys, groups, limit, maxBytes, reverse) => {
        const parts = Array.from({ length: groups }, (_, group) =>
          keys.filter((_, i) => i % groups === group),
        );
        const seen: string[] = [];
        let after: string | undefined;
        do {
          const options: PageOptions = { from: '', to: undefined, after, limit, maxBytes, reverse };
          const page = mergePages(
            parts.map((part) => pageOf(part, options)),
            options,
          );
          expect(page.entries.length).toBeLessThanOrEqual(limit);
          expect(page.entries.length > 0 || keys.length === 0).toBe(true);
          seen.push(...page.entries.map(({ key }) => key));
          after = page.reached;
        } while (after !== undefined);
        const ordered = [...keys].sort();
        expect(seen).toEqual(reverse ? ordered.reverse() : ordered);
      },
    ),
  );
});

it('goes no further than the group that looked at the least', () => {
  const options: PageOptions = { from: '', to: undefined, limit: 10, maxBytes: 1e6 };
  const slow: Page = { entries: [], reached: 'f' };
  const done: Page = { entries: ['a', 'f1', 'z'].map((key) => ({ key, record })), reached: undefined };
  expect(mergePages([slow, done], options)).toEqual({ entries: [{ key: 'a', record }], reached: 'f' });
});
