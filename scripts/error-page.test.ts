import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ErrorReasonSchema } from '../server/src/gen/gomsg/v1/common_pb.js';
import { ERROR_PAGE, errorPage } from './error-page.ts';

const page = errorPage();

describe('the page of errors', () => {
  it('is current; when it is not, run `npm run generate:errors`', () => {
    expect(readFileSync(new URL(`../${ERROR_PAGE}`, import.meta.url), 'utf8')).toBe(page);
  });

  it('has a section for every reason of the catalogue', () => {
    const sections = [...page.matchAll(/^## (\w+)$/gm)].map(([, name]) => `ERROR_REASON_${name}`);
    const reasons = ErrorReasonSchema.values.filter(({ number }) => number !== 0).map(({ name }) => name);
    expect(sections).toEqual(reasons);
  });

  it('says of a reason what it means, what to do and how it travels', () => {
    expect(page).toContain('| [DISK_FULL](#disk_full) | 46 | resource_exhausted | 429 | yes |');
    expect(page).toMatch(
      /## DISK_FULL\n\nThe disk of the node .*\n\n\*\*What to do:\*\* Free space .*\n\nCode 8, /,
    );
  });
});
