/**
 * What `npm test` runs, in order: quick checks first. A suite is a command, and the way its tests are counted.
 * A new language's tests are one more entry here.
 */

/** Counted by exit code as one test: 0 passed, `SKIPPED` skipped, anything else failed. */
export interface Check {
  readonly count: 'one';
}

/** Writes a report to the path that takes the place of `{report}` in the command; the reader counts its tests. */
export interface Reported {
  readonly count: 'vitest' | 'junit';
}

/** Prints its report: `go test -json`. */
export interface Printed {
  readonly count: 'go-test';
}

export type Suite = (Check | Reported | Printed) & {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** Where the command runs, from the root of the repository. Default: there. */
  readonly folder?: string;
  /** What the command needs beside Node. Missing, the suite fails with advice. */
  readonly needs?: readonly Toolchain[];
};

/** The exit code of a check that has nothing to compare with, as Automake's test protocol has it. */
export const SKIPPED_EXIT_CODE = 77;

export const TOOLCHAINS = {
  go: { name: 'Go', command: ['go', 'version'], minimum: [1, 24], from: 'https://go.dev/dl' },
  python: {
    name: 'Python',
    command: ['python3', '--version'],
    minimum: [3, 11],
    from: 'https://www.python.org/downloads',
  },
} as const;

export type Toolchain = keyof typeof TOOLCHAINS;

const PYTHON = '.venv/bin/python';

export const SUITES: readonly Suite[] = [
  // First: what generates code and drives the Python SDK needs it.
  {
    name: 'Python environment',
    command: ['node', 'scripts/python-env.ts'],
    count: 'one',
    needs: ['python'],
  },
  { name: 'format and lint', command: ['biome', 'check'], count: 'one' },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'], count: 'one' },
  { name: 'contracts: lint', command: ['buf', 'lint'], count: 'one' },
  { name: 'contracts: format', command: ['buf', 'format', '--diff', '--exit-code'], count: 'one' },
  {
    name: 'contracts: nothing breaks against main',
    command: ['node', 'scripts/check-breaking.ts'],
    count: 'one',
  },
  {
    name: 'contracts: generated code is current',
    command: ['node', 'scripts/check-generated.ts'],
    count: 'one',
    needs: ['go', 'python'],
  },
  ...['sdks/go', 'conformance/clients/go', 'bench/clients/go', 'examples/go'].map(
    (folder): Suite => ({
      name: `Go: vet of ${folder}`,
      command: ['go', 'vet', './...'],
      folder,
      count: 'one',
      needs: ['go'],
    }),
  ),
  {
    name: 'Go SDK',
    command: ['go', 'test', '-json', './...'],
    folder: 'sdks/go',
    count: 'go-test',
    needs: ['go'],
  },
  {
    name: 'Python SDK: types',
    command: [PYTHON, '-m', 'mypy'],
    folder: 'sdks/python',
    count: 'one',
    needs: ['python'],
  },
  {
    name: 'Python SDK',
    command: [PYTHON, '-m', 'pytest', '--junitxml={report}'],
    folder: 'sdks/python',
    count: 'junit',
    needs: ['python'],
  },
  {
    name: 'tests',
    command: ['vitest', 'run', '--reporter=default', '--reporter=json', '--outputFile.json={report}'],
    count: 'vitest',
    needs: ['go', 'python'],
  },
];
