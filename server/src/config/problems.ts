/** What was wrong with the settings, all of it at once. */

export interface ConfigProblem {
  /** Where the setting came from: `flag --port=x`, `variable GOMSG_PORT=x`, `gomsg.yaml:12:9`. */
  readonly origin: string;
  /** What is wrong and what would be right. */
  readonly reason: string;
}

/** Thrown by `loadConfig`. The message lists every problem, a line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? 'A setting is wrong' : `${problems.length} settings are wrong`;
    const lines = problems.map(({ origin, reason }) => `  ${origin}: ${reason}`);
    super(
      [`${count}:`, ...lines, 'Every setting is listed by "gomsg --help" and in config/default.yaml.'].join(
        '\n',
      ),
    );
    this.problems = problems;
  }
}
