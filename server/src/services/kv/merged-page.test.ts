import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import type { GroupState } from '../../state/group-state.ts';
import type { Entry, Page, PageOptions } from '../../state/kv/page.ts';
import type { ServiceGroup } from '../groups.ts';
import { mergePages, readMergedPage } from './merged-page.ts';

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

/** Groups that share out the keys, and take note of what they are asked for. */
function groupsOf(keys: readonly string[], count: number, asked: PageOptions[]): ServiceGroup[] {
  return Array.from({ length: count }, (_, group) => ({
    id: group + 1,
    isLeader: true,
    onRoleChange: () => () => {},
    submit: () => {},
    read: (_consistency, query) => {
      const own = keys.filter((_key, i) => i % count === group);
      const page = (options: PageOptions) => {
        asked.push(options);
        return pageOf(own, options);
      };
      query({ kv: { page, revision: 1 } } as unknown as GroupState, 0);
    },
  }));
}

it('reads little more than a page, however many groups there are', () => {
  const keys = Array.from({ length: 5000 }, (_, i) => `key-${String(i).padStart(5, '0')}`);
  const asked: PageOptions[] = [];
  const groups = groupsOf(keys, 64, asked);
  const options: PageOptions = { from: '', to: undefined, limit: 1000, maxBytes: 1024 * 1024 };
  const seen: string[] = [];
  let after: string | undefined;
  let pages = 0;
  do {
    readMergedPage(
      groups,
      Consistency.LINEARIZABLE,
      { ...options, after },
      ({ entries, reached }) => {
        seen.push(...entries.map(({ key }) => key));
        after = reached;
        pages++;
      },
      (failure) => expect.fail(failure.message),
    );
  } while (after !== undefined);
  expect(seen).toEqual(keys);
  expect(pages).toBeLessThanOrEqual(6);
  const first = asked.slice(0, groups.length);
  const total = (read: (part: PageOptions) => number) => first.reduce((sum, part) => sum + read(part), 0);
  expect(total(({ limit }) => limit)).toBeLessThan(2.1 * options.limit);
  expect(total(({ maxBytes }) => maxBytes)).toBeLessThan(2.1 * options.maxBytes);
  expect(first.every((part) => part.groups === 64)).toBe(true);
});
