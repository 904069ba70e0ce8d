/** All cases × SDKs: who runs when, on which server, with which client program. */
import type { Case, ServerKind } from '../case.ts';
import { ClientProcess, ClientProgramError } from '../client/client-process.ts';
import type { Sdk } from '../sdks.ts';
import { ClusterServer } from '../server/cluster-server.ts';
import { OWN_KINDS, type ServerFixture, startServer } from '../server/server-fixture.ts';
import { LeaderKill } from './leader-kill.ts';
import { runCase } from './run-case.ts';
import { type RunMode, skipReason } from './skipped.ts';

export type Status = 'passed' | 'failed' | 'known-failing' | 'passes-unexpectedly' | 'skipped';

export interface CaseResult {
  readonly sdk: string;
  readonly case: Case;
  readonly status: Status;
  readonly time_ms: number;
  /** Why it failed, is known to, or was left out; empty when it passed. */
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
  /** Default: one node. */
  readonly mode?: RunMode;
  /** Cases at a time that share a server. Default 10, or 30 that lose their leader together. */
  readonly jobs?: number;
  /** Cases at a time that have a server or a client program of their own. Default 2. */
  readonly ownJobs?: number;
  /** Makes a client program; default: its process. For tests of the runner itself. */
  readonly newProgram?: (sdk: Sdk) => ClientProcess;
}

const JOBS = 10;
const KILL_JOBS = 30;
const OWN_JOBS = 2;

const ONE_NODE: RunMode = { nodes: 1, killsLeader: false };

/** Cluster of a few groups, so that cases touch several; of one where leaders die, so that every name of a case loses its own. */
const GROUPS = 4;
const KILL_GROUPS = 1;

interface Run {
  readonly sdk: Sdk;
  readonly testCase: Case;
  readonly result: PromiseWithResolvers<CaseResult>;
}

export class Suite {
  readonly #options: SuiteOptions;
  readonly #mode: RunMode;
  readonly #runs: readonly Run[];
  readonly #programs = new Map<string, ClientProcess>();
  readonly #unbuilt = new Map<string, unknown>();
  readonly #servers = new Map<string, Promise<ServerFixture>>();

  constructor(options: SuiteOptions) {
    this.#options = options;
    this.#mode = options.mode ?? ONE_NODE;
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
    const { sdks, jobs, ownJobs = OWN_JOBS } = this.#options;
    if (onResult !== undefined) for (const { result } of this.#runs) void result.promise.then(onResult);
    const runs = this.#runs.filter((run) => !this.#skipped(run));
    for (const sdk of sdks) this.#build(sdk);
    const isOwn = ({ testCase }: Run) => testCase.alone || OWN_KINDS.has(testCase.server);
    const shared = runs.filter((run) => !isOwn(run));
    const own = runs.filter(isOwn);
    try {
      if (this.#mode.killsLeader) {
        await this.#runKilling(shared, jobs ?? KILL_JOBS);
        await this.#runKilling(own, ownJobs);
      } else await Promise.all([this.#runAll(shared, jobs ?? JOBS), this.#runAll(own, ownJobs)]);
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

  /** Some at a time on the cluster that they share, whose leader dies once under all of them. */
  async #runKilling(runs: readonly Run[], jobs: number): Promise<void> {
    for (const together of Map.groupBy(runs, ({ testCase }) => testCase.server).values()) {
      for (let first = 0; first < together.length; first += jobs)
        await this.#runUnderKill(together.slice(first, first + jobs));
    }
  }

  async #runUnderKill(runs: readonly Run[]): Promise<void> {
    const kind = runs[0]!.testCase.server;
    try {
      const server = await this.#shared(kind);
      if (!(server instanceof ClusterServer)) throw new Error('only a cluster has leaders to kill');
      const kill = new LeaderKill(server, runs.length);
      await Promise.all(
        runs.map(async (run) => {
          let arrived = false;
          const disturb = () => {
            arrived = true;
            return kill.arrived();
          };
          const result = await this.#run(run, disturb);
          if (!arrived) kill.missed();
          run.result.resolve(result);
        }),
      );
      await kill.over();
    } catch (error) {
      // The cluster is lost, and with it cases that have not ended. The next ones get another.
      for (const run of runs) run.result.resolve(this.#judged(run, performance.now(), error));
      const lost = this.#servers.get(kind);
      this.#servers.delete(kind);
      await lost?.then((server) => server.remove()).catch(() => {});
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    }
  }

  /** Whether the run is left out; its result then is there. */
  #skipped({ sdk, testCase, result }: Run): boolean {
    const reason = skipReason(testCase, this.#mode);
    if (reason === undefined) return false;
    result.resolve({ sdk: sdk.name, case: testCase, status: 'skipped', time_ms: 0, message: reason });
    return true;
  }

  async #run(run: Run, disturb?: () => Promise<void>): Promise<CaseResult> {
    const { sdk, testCase } = run;
    const startedAt = performance.now();
    let failure: unknown;
    try {
      await this.#withServer(testCase, (server) =>
        this.#withProgram(sdk, testCase, (program) => runCase({ testCase, program, server, disturb })),
      );
    } catch (error) {
      failure = error;
    }
    return this.#judged(run, startedAt, failure);
  }

  /** `failure` is undefined when there was none. */
  #judged({ sdk, testCase }: Run, startedAt: number, failure: unknown): CaseResult {
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
    if (!OWN_KINDS.has(kind)) return use(await this.#shared(kind));
    const server = await this.#startServer(kind);
    try {
      await use(server);
    } finally {
      await server.remove();
    }
  }

  #shared(kind: ServerKind): Promise<ServerFixture> {
    let server = this.#servers.get(kind);
    if (server === undefined) {
      server = this.#startServer(kind);
      this.#servers.set(kind, server);
    }
    return server;
  }

  #startServer(kind: ServerKind): Promise<ServerFixture> {
    const { nodes, killsLeader } = this.#mode;
    return startServer(kind, { nodes, groups: killsLeader ? KILL_GROUPS : GROUPS });
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

/** Failures that cases expect explain themselves; bugs of the runner need their stack. */
function explained(error: Error): string {
  return error.name === 'Error' || error.name === 'TypeError' || error.name === 'RangeError'
    ? (error.stack ?? error.message)
    : error.message;
}
