import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COMMAND_GROUPS } from '../cli/src/commands/groups.ts';
import { CLI_PAGE, cliPage } from './cli-page.ts';

describe('the page of the command line', () => {
  it('is current; when it is not, run `npm run generate:cli`', async () => {
    expect(readFileSync(new URL(`../${CLI_PAGE}`, import.meta.url), 'utf8')).toBe(await cliPage());
  });

  it('has a section for every command', async () => {
    const sections = [...(await cliPage()).matchAll(/^### (.+)$/gm)].map(([, name]) => name);
    const commands = await Promise.all(
      COMMAND_GROUPS.map(async (group) =>
        (await group.load()).map(({ name }) => `gomsg ${group.name} ${name}`),
      ),
    );
    expect(sections).toEqual(commands.flat());
  });
});
