/** `npm run simulate`: random runs of the whole consensus stack, from seeds, on every core. See README.md. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { LEVELS, type LevelName } from './level.ts';
import { mutationTable } from './mutation-table.ts';
import { Pool } from './pool.ts';
import { MUTATION_HEADER, mutationLine, reportText } from './print.ts';
import { runSeeds, traceSeed } from './seeds.ts';

/** A run of whole hosts takes that many times as long as one of cores. */
const RAFT_SEEDS_PER_GROUPS_SEED = 100;
const PROGRESS_INTERVAL_MS = 5_000;

const USAGE = `usage: npm run simulate -- [--seeds N] [--from S] [--level raft|groups|all] [--trace] [--json FILE]
       npm run simulate -- --mutations [--json FILE]

--seeds N      runs, default 1000; with --level all the groups play one for every ${RAFT_SEEDS_PER_GROUPS_SEED} of them
--from S       first seed, default 1
--level        default all
--trace        one line an event, for one seed of one level
--json FILE    the report as JSON
--mutations    breaks one rule after the other, and counts the seeds until that is noticed`;

interface Arguments {
  readonly levels: readonly LevelName[];
  readonly seeds: number;
  readonly from: number;
  readonly trace: boolean;
  readonly mutations: boolean;
  readonly json: string | undefined;
}

/** Undefined when they make no sense. */
function readArguments(): Arguments | undefined {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      level: { type: 'string', default: 'all' },
      trace: { type: 'boolean', default: false },
      mutations: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const levels = LEVELS.filter((level) => values.level === 'all' || values.level === level);
  const seeds = Number(values.seeds);
  const from = Number(values.from);
  const areSeeds = Number.isInteger(seeds) && seeds >= 1 && Number.isInteger(from) && from >= 0;
  if (!areSeeds || levels.length === 0 || (values.trace && (seeds !== 1 || levels.length !== 1)))
    return undefined;
  const { trace, mutations, json } = values;
  return { levels, seeds, from, trace, mutations, json };
}

/** Says how far it is, now and then. */
function progress(level: LevelName, seeds: number): (done: number, failed: number) => void {
  let told = performance.now();
  return (done, failed) => {
    if (performance.now() - told < PROGRESS_INTERVAL_MS) return;
    told = performance.now();
    console.error(`${level}: ${done} of ${seeds} seeds, ${failed} failed`);
  };
}

/** What is to be written as JSON, and whether all is well. */
interface Outcome {
  readonly report: unknown;
  readonly ok: boolean;
}

async function playSeeds(pool: Pool, { levels, seeds, from }: Arguments): Promise<Outcome> {
  const reports = [];
  for (const level of levels) {
    const share = levels.length > 1 && level === 'groups' ? RAFT_SEEDS_PER_GROUPS_SEED : 1;
    const count = Math.ceil(seeds / share);
    const report = await runSeeds(pool, level, from, count, progress(level, count));
    console.log(`${reportText(report)}\n`);
    reports.push(report);
  }
  return { report: reports, ok: reports.every(({ failed }) => failed.length === 0) };
}

async function playMutations(pool: Pool): Promise<Outcome> {
  console.log(MUTATION_HEADER);
  const rows = await mutationTable(pool, (row) => console.log(mutationLine(row)));
  const noticed = rows.filter(({ invariant }) => invariant !== undefined).length;
  console.log(`\n${noticed} of ${rows.length} noticed`);
  return { report: rows, ok: noticed === rows.length };
}

async function main(options: Arguments): Promise<boolean> {
  if (options.trace) {
    const failure = await traceSeed(options.levels[0]!, options.from, (line) => console.log(line));
    console.log(failure ?? 'every invariant held');
    return failure === undefined;
  }
  const pool = new Pool();
  try {
    const { report, ok } = options.mutations ? await playMutations(pool) : await playSeeds(pool, options);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
    return ok;
  } finally {
    await pool.close();
  }
}

const options = readArguments();
if (options === undefined) {
  console.error(USAGE);
  process.exitCode = 2;
} else if (!(await main(options))) process.exitCode = 1;
