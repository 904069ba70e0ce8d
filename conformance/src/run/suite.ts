/** All cases × SDKs: who runs when, on which server, with which client program. */
import type { Case } from '../case.ts';
import { ClientProcess, ClientProgramError } from '../client/client-process.ts';
import type { Sdk } from '../sdks.ts';
import { ScriptedServer } from '../server/scripted-server.ts';
import { OWN_KINDS, RealServer, type ServerFixture } from '../server/server-fixture.ts';
import { runCase } from './run-case.ts';

export type Status = 'passed' | 'failed' | 'known-failing' | 'passes-unexpectedly';

export interface CaseResult {
  readonly sdk: string;
  readonly case: Case;
  readonly status: Status;
  readonly time_ms: number;
  /** Why it failed, or is known to; empty when it passed. */
  readonly message: string;
}

/** A failure that is known, with its reason. */
export interface KnownFailure {
  readonly sdk: string;
  readonly caseId: string;
  readonly reason: string;
}

export interface SuiteOptions {
  readonly cases: readonly Case[];
  readonly sdks: readonly Sdk[];
  readonly known: readonly KnownFailure[];
  /** Cases at a time that share a server. Default 10. */
  readonly jobs?: number;
  /** Cases at a time that have a server or a client program of their own. Default 2. */
  readonly ownJobs?: number;
  /** Makes a client program; default: its process. For tests of the runner itself. */
  readonly newProgram?: (sdk: Sdk) => ClientProcess;
}

const JOBS = 10;
const OWN_JOBS = 2;

interface Run {
  readonly sdk: Sdk;
  readonly testCase: Case;
  readonly result: PromiseWithResolvers<CaseResult>;
}

export class Suite {
  readonly #options: SuiteOptions;
  readonly #runs: readonly Run[];
  readonly #programs = new Map<string, ClientProcess>();
  readonly #unbuilt = new Map<string, unknown>();
  readonly #servers = new Map<string, Promise<ServerFixture>>();

  constructor(options: SuiteOptions) {
    this.#options = options;
    this.#runs = options.sdks.flatMap((sdk) =>
      options.cases
        .filter(({ sdks }) => sdks.length === 0 || sdks.includes(sdk.name))
        .map((testCase) => ({ sdk, testCase, result: Promise.withResolvers<CaseResult>() })),
    );
  }

  /** The result of one case with one SDK, once there is one; undefined when the case is not for it. */
  result(sdk: string, caseId: string): Promise<CaseResult> | undefined {
    return this.#runs.find((run) => run.sdk.name === sdk && run.testCase.id === caseId)?.result.promise;
  }

  /** Results as they come, in any order; the whole list at the end. */
  async run(onResult?: (result: CaseResult) => void): Promise<readonly CaseResult[]> {
    const { sdks, jobs = JOBS, ownJobs = OWN_JOBS } = this.#options;
    if (onResult !== undefined) for (const { result } of this.#runs) void result.promise.then(onResult);
    for (const sdk of sdks) this.#build(sdk);
    const isOwn = ({ testCase }: Run) => testCase.alone || OWN_KINDS.has(testCase.server);
    try {
      await Promise.all([
        this.#runAll(
          this.#runs.filter((run) => !isOwn(run)),
          jobs,
        ),
        this.#runAll(this.#runs.filter(isOwn), ownJobs),
      ]);
    } finally {
      await Promise.all([
        ...[...this.#programs.values()].map((program) => program.close()),
        // One that could not start has told the cases that wanted it.
        ...[...this.#servers.values()].map((server) =>
          server.then(
            (started) => started.remove(),
            () => {},
          ),
        ),
      ]);
    }
    return Promise.all(this.#runs.map(({ result }) => result.promise));
  }

  async #runAll(runs: readonly Run[], jobs: number): Promise<void> {
    const queue = [...runs];
    const lane = async () => {
      for (let run = queue.shift(); run !== undefined; run = queue.shift())
        run.result.resolve(await this.#run(run));
    };
    await Promise.all(Array.from({ length: jobs }, lane));
  }

  async #run({ sdk, testCase }: Run): Promise<CaseResult> {
    const startedAt = performance.now();
    let failure: unknown;
    try {
      await this.#withServer(testCase, (server) =>
        this.#withProgram(sdk, testCase, (program) => runCase(testCase, program, server)),
      );
    } catch (error) {
      failure = error;
    }
    const time_ms = performance.now() - startedAt;
    const known = this.#options.known.find(
      ({ sdk: name, caseId }) => name === sdk.name && caseId === testCase.id,
    );
    const message =
      failure === undefined ? '' : failure instanceof Error ? explained(failure) : String(failure);
    const result = { sdk: sdk.name, case: testCase, time_ms };
    if (known === undefined) {
      return { ...result, status: failure === undefined ? 'passed' : 'failed', message };
    }
    return failure === undefined
      ? { ...result, status: 'passes-unexpectedly', message: `listed as failing: ${known.reason}` }
      : { ...result, status: 'known-failing', message: known.reason };
  }

  async #withServer({ server: kind }: Case, use: (server: ServerFixture) => Promise<void>): Promise<void> {
    if (!OWN_KINDS.has(kind)) {
      let server = this.#servers.get(kind);
      if (server === undefined) {
        server = startServer(kind);
        this.#servers.set(kind, server);
      }
      return use(await server);
    }
    const server = await startServer(kind);
    try {
      await use(server);
    } finally {
      await server.remove();
    }
  }

  async #withProgram(
    sdk: Sdk,
    { alone }: Case,
    use: (program: ClientProcess) => Promise<void>,
  ): Promise<void> {
    if (this.#unbuilt.has(sdk.name)) throw this.#unbuilt.get(sdk.name);
    if (!alone) return use(this.#program(sdk));
    const program = this.#newProgram(sdk);
    try {
      await use(program);
    } finally {
      await program.close();
    }
  }

  /** The program that cases of an SDK share; a new one where the last has ended. */
  #program(sdk: Sdk): ClientProcess {
    let program = this.#programs.get(sdk.name);
    if (program === undefined || program.failure !== undefined) {
      program = this.#newProgram(sdk);
      this.#programs.set(sdk.name, program);
    }
    return program;
  }

  #newProgram(sdk: Sdk): ClientProcess {
    return this.#options.newProgram?.(sdk) ?? new ClientProcess(sdk);
  }

  #build(sdk: Sdk): void {
    if (this.#options.newProgram !== undefined) return;
    try {
      ClientProcess.build(sdk);
    } catch (error) {
      if (!(error instanceof ClientProgramError)) throw error;
      this.#unbuilt.set(sdk.name, error);
    }
  }
}

function startServer(kind: Case['server']): Promise<ServerFixture> {
  return kind === 'scripted' ? ScriptedServer.start() : RealServer.start(kind);
}

/** Failures that cases expect explain themselves; bugs of the runner need their stack. */
function explained(error: Error): string {
  return error.name === 'Error' || error.name === 'TypeError' || error.name === 'RangeError'
    ? (error.stack ?? error.message)
    : error.message;
}
