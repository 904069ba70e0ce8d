/** Runs one case against one SDK. */
import type { Case, Step } from '../case.ts';
import type { ClientProcess } from '../client/client-process.ts';
import type { ServerFixture } from '../server/server-fixture.ts';
import { Scope } from '../value/scope.ts';
import { within } from './case-failure.ts';
import { Clients } from './clients.ts';
import { StepRunner } from './step-runner.ts';

let lastRun = 0;

export interface CaseRun {
  readonly testCase: Case;
  readonly program: ClientProcess;
  readonly server: ServerFixture;
  /** Called once, in the middle of the case, which goes on when it resolves. */
  readonly disturb: (() => Promise<void>) | undefined;
}

/**
 * Resolves when every step went as expected. Names that the case makes begin with `${case}`, which no other run shares.
 * @throws CaseFailure, CaseFileError, ClientProgramError
 */
export async function runCase({ testCase, program, server, disturb }: CaseRun): Promise<void> {
  const { steps, place, timeout_ms, alone, shows } = testCase;
  lastRun += 1;
  const name = `c${lastRun}`;
  const scope = new Scope();
  scope.set('case', name);
  const clients = new Clients(program, server, name);
  const runner = new StepRunner({ clients, server, countsLeaks: alone });
  const run = (part: readonly Step[]) =>
    within(runner.run(part, scope), timeout_ms, place, `not shown: "${shows}"`);
  try {
    if (disturb === undefined) await run(steps);
    else {
      const middle = middleOf(steps);
      await run(steps.slice(0, middle));
      await disturb();
      await run(steps.slice(middle));
    }
  } catch (error) {
    runner.abandon();
    await clients.end(place).catch(() => {}); // The first failure tells the story.
    throw error;
  }
  await clients.end(place);
}

/** How many steps come before the disturbance: those before `leader_kill: here`, or the first third. */
function middleOf(steps: readonly Step[]): number {
  const marked = steps.findIndex((step) => step.do === 'leader_kill');
  return marked === -1 ? Math.ceil(steps.length / 3) : marked;
}
