/** Puts the sources together: flags before `GOMSG_*` variables before the YAML file before the defaults. */
import { crossCheck } from './cross-check.ts';
import { readEnvironment } from './environment.ts';
import { readFlags } from './flags.ts';
import { type Given, parseGiven } from './given.ts';
import { ConfigError, type ConfigProblem } from './problems.ts';
import { type Config, NAMED_SETTINGS } from './schema.ts';
import { readYamlFile } from './yaml-file.ts';

/** `GOMSG_*` variables that the command-line client reads, not the server. */
const CLIENT_VARIABLES: readonly string[] = [
  'GOMSG_SERVER',
  'GOMSG_OUTPUT',
  'GOMSG_CACERT',
  'GOMSG_CLIENT_CERT',
  'GOMSG_CLIENT_KEY',
];

export interface ConfigSources {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `GOMSG_*` names that are not settings and yet no mistake. Default: those of the command-line client. */
  readonly otherVariables?: readonly string[];
}

/** @throws {ConfigError} that lists every problem of every source, and also those of values that another source overrides. */
export function loadConfig({ args, env, otherVariables = CLIENT_VARIABLES }: ConfigSources): Config {
  const flags = readFlags(args, NAMED_SETTINGS);
  const environment = readEnvironment(env, NAMED_SETTINGS, otherVariables);
  const configPath = flags.configPath ?? environment.configPath;
  const file =
    configPath === undefined ? { given: [], problems: [] } : readYamlFile(configPath, NAMED_SETTINGS);

  const problems: ConfigProblem[] = [...flags.problems, ...environment.problems, ...file.problems];
  const values = defaults();
  const origins = new Map<string, string>();
  const weakestFirst: Given[] = [...file.given, ...environment.given, ...flags.given];
  for (const given of weakestFirst) {
    const parsed = parseGiven(given);
    if ('problem' in parsed) {
      problems.push(parsed.problem);
    } else {
      values[given.named.field] = parsed.value;
      origins.set(given.named.field, given.origin);
    }
  }
  // Nodes that are told apart by their ids, and started side by side, must not meet in one folder.
  if (!origins.has('dataDir') && values.nodeId !== undefined) {
    values.dataDir = `${values.dataDir}-${values.nodeId}`;
  }
  // Settings that contradict each other are only worth naming once each of them can be read.
  if (problems.length === 0) problems.push(...crossCheck(values as unknown as Config, origins));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(values) as unknown as Config;
}

/**
 * The defaults with a few settings replaced, for tests and for programs that embed a node.
 * @throws {ConfigError} when the settings contradict each other.
 */
export function configWith(overrides: Partial<Config>): Config {
  const config = Object.freeze({ ...(defaults() as unknown as Config), ...overrides });
  const problems = crossCheck(config, new Map());
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function defaults(): Record<string, unknown> {
  return Object.fromEntries(
    NAMED_SETTINGS.map(({ field, setting }) => [field, Object.freeze(setting.default)]),
  );
}
