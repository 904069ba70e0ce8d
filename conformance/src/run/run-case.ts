/** Runs one case against one SDK. */
import type { Case } from '../case.ts';
import type { ClientProcess } from '../client/client-process.ts';
import type { ServerFixture } from '../server/server-fixture.ts';
import { Scope } from '../value/scope.ts';
import { within } from './case-failure.ts';
import { Clients } from './clients.ts';
import { StepRunner } from './step-runner.ts';

let lastRun = 0;

/**
 * Resolves when every step went as expected. Names that the case makes begin with `${case}`, which no other run shares.
 * @throws CaseFailure, CaseFileError, ClientProgramError
 */
export async function runCase(
  { steps, place, timeout_ms, alone, shows }: Case,
  program: ClientProcess,
  server: ServerFixture,
): Promise<void> {
  lastRun += 1;
  const name = `c${lastRun}`;
  const scope = new Scope();
  scope.set('case', name);
  const clients = new Clients(program, server, name);
  const runner = new StepRunner({ clients, server, countsLeaks: alone });
  try {
    await within(runner.run(steps, scope), timeout_ms, place, `not shown: "${shows}"`);
  } catch (error) {
    runner.abandon();
    await clients.end(place).catch(() => {}); // The first failure tells the story.
    throw error;
  }
  await clients.end(place);
}
