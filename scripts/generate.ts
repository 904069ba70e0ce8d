/** Runs buf with every template; those of an SDK whose language is missing here fail with advice. */
import { spawnSync } from 'node:child_process';
import { generate } from './templates.ts';

if (!generate()) process.exit(1);
for (const script of ['generate-config', 'generate-errors', 'generate-cli-page']) {
  const { status } = spawnSync('node', [`scripts/${script}.ts`], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
