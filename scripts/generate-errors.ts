/** Writes `docs/errors.md` from the catalogue of error reasons. */
import { writeFileSync } from 'node:fs';
import { ERROR_PAGE, errorPage } from './error-page.ts';

writeFileSync(new URL(`../${ERROR_PAGE}`, import.meta.url), errorPage());
