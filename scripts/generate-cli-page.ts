/** Writes `docs/cli.md` from the commands. */
import { writeFileSync } from 'node:fs';
import { CLI_PAGE, cliPage } from './cli-page.ts';

writeFileSync(new URL(`../${CLI_PAGE}`, import.meta.url), await cliPage());
