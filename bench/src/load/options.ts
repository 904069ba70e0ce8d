/** The command line of `npm run bench`. */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { CLUSTER_ROW_IDS } from '../cluster/row-ids.ts';
import { NODE_FAULTS, type NodeFault } from '../failover/node-fault.ts';
import { LOAD_PROGRAMS } from '../sdks/programs.ts';
import { ROWS } from './rows/rows.ts';

/**
 * What a run of the bench is: `rows` (or a soak) against one node, `sdks` through the SDKs' load programs, `nodes` against
 * a cluster and a single node in turn, `growth` while a lone node becomes a cluster, `failover` while nodes are killed or stand
 * still.
 */
export type Mode = 'rows' | 'sdks' | 'nodes' | 'growth' | 'failover';

export interface BenchOptions {
  readonly mode: Mode;
  /** Measured time of each row. Default 5 s. */
  readonly seconds: number;
  /** Rows to run, by id. Default: all. */
  readonly rows: readonly string[];
  /** File that gets the whole result. */
  readonly json: string | undefined;
  /** Record a CPU profile of the server. */
  readonly profile: boolean;
  /** Measure Redis beside gomsg. */
  readonly redis: boolean;
  /** Run for this long and watch the memory, instead of measuring each row once. */
  readonly soak_ms: number | undefined;
  /** SDKs whose programs run, instead of the rows. Empty: the rows, or with `failover` all SDKs. */
  readonly sdks: readonly string[];
  /** Folder in which the data folder is made. Default: the system's folder for temporary files. */
  readonly dataDir: string;
  readonly fsync: 'always' | 'interval';
  /** What to start: the bundle in dist/, or the sources. Default: the bundle where there is one. */
  readonly server: 'bundle' | 'source' | undefined;
  /** Nodes of the cluster, for `nodes`. */
  readonly nodes: number;
  /** Raft groups for data of a cluster. Default 16. */
  readonly groups: number;
  /** How long the idle cluster is watched, for `nodes`. Default 10 s. */
  readonly idleSeconds: number;
  /** Keys that are there before a lone node grows; a tenth as many messages of queue and stream. Default 20,000. */
  readonly data: number;
  /** Lanes of work of each SDK, for `failover`. Default 32. */
  readonly lanes: number;
  /** What is done to a node, for `failover`. Default `kill`. */
  readonly fault: NodeFault;
  /** How many times that is done, to each node in turn, for `failover`. Default 3. */
  readonly rounds: number;
}

export const USAGE = `Usage: npm run bench -- [options]

Starts a gomsg server of its own, loads it from this process and prints what was measured beside the targets.

  --seconds N       measured time of each row, after a warm-up of a third of it (default 5)
  --rows A,B        rows to run (default all): ${ROWS.map(({ id }) => id).join(', ')}
  --json FILE       write the whole result to FILE
  --profile         record a CPU profile of the server, or of each node of a cluster, which is then not killed
  --redis           run Redis with appendfsync always beside it, where redis-server is installed
  --sdk A,B         instead of the rows: durable sets through the SDKs' load programs (all, or of ${LOAD_PROGRAMS.map(({ sdk }) => sdk).join(', ')})
  --nodes N         the rows against a cluster of N nodes and a single node in turn; of --rows there are here
                    ${CLUSTER_ROW_IDS.join(', ')}
  --growth          instead of the rows: a lone node with data becomes a cluster of 3, 5 and 3 again under load
  --failover        work through each SDK (or those of --sdk) while each of three nodes fails and comes back
  --fault WHAT      how it fails: kill (SIGKILL, default) or pause (SIGSTOP for 8 s)
  --lanes N         lanes of that work (default 32)
  --rounds N        failures of it (default 3)
  --groups N        Raft groups for data of a cluster (default 16)
  --idle N          seconds in which the idle cluster is watched (default 10)
  --data N          keys that are there before the growth begins (default 20000)
  --soak TIME       load for TIME (90s, 10m, 2h) and report the server's memory over time
  --fsync MODE      always (default) or interval
  --data-dir DIR    folder for the server's data folder (default ${tmpdir()})
  --server WHAT     bundle or source (default: dist/ where it is built)
  --help            this text
`;

/** A mistake on the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): BenchOptions | 'help' {
  let values: ReturnType<typeof parse>['values'];
  try {
    ({ values } = parse(argv));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (values.help) return 'help';
  const mode = modeOf(values);
  if (values.fault !== undefined && mode !== 'failover') {
    throw new UsageError(`--fault says how a node fails: give it with --failover`);
  }
  return {
    mode,
    seconds: positive('--seconds', values.seconds),
    rows: rowIds(values.rows, mode === 'nodes' ? CLUSTER_ROW_IDS : ROWS.map(({ id }) => id)),
    json: values.json,
    profile: values.profile,
    redis: values.redis,
    soak_ms: values.soak === undefined ? undefined : duration_ms('--soak', values.soak),
    sdks: values.sdk === undefined ? [] : sdkNames(values.sdk),
    dataDir: values['data-dir'],
    fsync: oneOf('--fsync', values.fsync, ['always', 'interval']),
    server: values.server === undefined ? undefined : oneOf('--server', values.server, ['bundle', 'source']),
    nodes: whole('--nodes', values.nodes ?? '3', { min: 3, max: 9 }),
    groups: whole('--groups', values.groups, { min: 1, max: 1024 }),
    idleSeconds: positive('--idle', values.idle),
    data: whole('--data', values.data, { min: 1, max: 10_000_000 }),
    lanes: whole('--lanes', values.lanes, { min: 1, max: 1024 }),
    fault: oneOf('--fault', values.fault ?? 'kill', NODE_FAULTS),
    rounds: whole('--rounds', values.rounds, { min: 1, max: 1000 }),
  };
}

/** At most one of the flags that ask for another run than the usual rows. */
function modeOf(values: ReturnType<typeof parse>['values']): Mode {
  const asked = [
    ...(values.sdk === undefined || values.failover ? [] : ['sdks' as const]),
    ...(values.nodes === undefined ? [] : ['nodes' as const]),
    ...(values.growth ? ['growth' as const] : []),
    ...(values.failover ? ['failover' as const] : []),
  ];
  if (asked.length > 1)
    throw new UsageError(`give one of --sdk, --nodes, --growth and --failover, not ${asked.length}`);
  return asked[0] ?? 'rows';
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    options: {
      seconds: { type: 'string', default: '5' },
      rows: { type: 'string' },
      json: { type: 'string' },
      profile: { type: 'boolean', default: false },
      redis: { type: 'boolean', default: false },
      sdk: { type: 'string' },
      soak: { type: 'string' },
      nodes: { type: 'string' },
      growth: { type: 'boolean', default: false },
      failover: { type: 'boolean', default: false },
      fault: { type: 'string' },
      lanes: { type: 'string', default: '32' },
      rounds: { type: 'string', default: '3' },
      groups: { type: 'string', default: '16' },
      idle: { type: 'string', default: '10' },
      data: { type: 'string', default: '20000' },
      fsync: { type: 'string', default: 'always' },
      'data-dir': { type: 'string', default: tmpdir() },
      server: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 86_400)) throw new UsageError(`${flag}: give seconds above 0, not ${text}`);
  return value;
}

function whole(
  flag: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= min && value <= max)) {
    throw new UsageError(`${flag}: give a whole number from ${min} to ${max}, not ${text}`);
  }
  return value;
}

const UNITS_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 };

function duration_ms(flag: string, text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([smh])$/.exec(text) ?? [];
  const value = Number(amount) * (UNITS_MS[unit ?? ''] ?? Number.NaN);
  if (!(value > 0)) throw new UsageError(`${flag}: give a time such as 90s, 10m or 2h, not ${text}`);
  return value;
}

function rowIds(text: string | undefined, all: readonly string[]): readonly string[] {
  return text === undefined ? all : listed('--rows', 'row', text, all);
}

function sdkNames(text: string): readonly string[] {
  const all = LOAD_PROGRAMS.map(({ sdk }) => sdk);
  return text === 'all' ? all : listed('--sdk', 'SDK', text, all);
}

function listed(flag: string, what: string, text: string, all: readonly string[]): readonly string[] {
  const asked = text.split(',').map((name) => name.trim());
  for (const name of asked) {
    if (!all.includes(name)) throw new UsageError(`${flag}: no ${what} ${name}; there are ${all.join(', ')}`);
  }
  return asked;
}

function oneOf<const T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw new UsageError(`${flag}: give ${choices.join(' or ')}, not ${text}`);
  return choice;
}
