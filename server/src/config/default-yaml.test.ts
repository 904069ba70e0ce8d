import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { defaultYaml } from './document.ts';
import { loadConfig } from './load.ts';
import { NAMED_SETTINGS } from './schema.ts';
import { readYaml } from './yaml-file.ts';

const path = fileURLToPath(new URL('../../../config/default.yaml', import.meta.url));

it('is current; when it is not, run `npm run generate:config`', () => {
  expect(readFileSync(path, 'utf8')).toBe(defaultYaml());
});

it('changes nothing', () => {
  expect(loadConfig({ args: [`--config=${path}`], env: {} })).toEqual(loadConfig({ args: [], env: {} }));
});

it('gives every setting, or an example of it that can be switched on', () => {
  const withExamples = defaultYaml().replace(/^ {2}# ([a-z-]+: \S+)$/gm, '  $1');
  const source = readYaml(withExamples, 'default.yaml', NAMED_SETTINGS);
  expect(source.problems).toEqual([]);
  expect(source.given.map(({ named }) => named.field)).toEqual(NAMED_SETTINGS.map(({ field }) => field));
});
