/** `npm run crash -- --rounds 100 [--seed N]`: the crash test for as long as one likes. */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { crashRun } from './crash-run.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '100' }, seed: { type: 'string' } },
});
const rounds = Number(values.rounds);
const seed = Number(values.seed ?? randomInt(2 ** 31));
if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed)) {
  console.error('usage: npm run crash -- [--rounds N] [--seed N], whole numbers both');
  process.exit(2);
}

console.log(`seed ${seed}`);
try {
  const summary = await crashRun({ rounds, seed, onProgress: (line) => console.log(line) });
  const kills = Object.entries(summary.kills).map(([moment, count]) => `${count} in ${moment}`);
  console.log(`
${rounds} rounds in ${(summary.elapsed_ms / 1000).toFixed(0)} s, every promise kept
kills                  ${kills.join(', ')}
writes acknowledged    ${summary.writesAcknowledged}
calls sent again       ${summary.callsRepeated}
writes left in doubt   ${summary.writesInDoubt}
entries recovered      ${summary.entriesRecovered}
torn tails cut         ${summary.tornTails}
checks                 ${summary.checks}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
