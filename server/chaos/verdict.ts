/** Holds the histories of a run against what gomsg promises. */
import { COUNTER } from '../src/testing/histories/counter.ts';
import type { History } from '../src/testing/histories/history.ts';
import { checkLinearizable } from '../src/testing/histories/linearizability.ts';
import type { Model } from '../src/testing/histories/model.ts';
import { Porcupine } from '../src/testing/histories/porcupine.ts';
import { REGISTER } from '../src/testing/histories/register.ts';
import type { Violation } from '../src/testing/histories/violation.ts';

/** For each history and each of the two checkers. */
const BUDGET_MS = 120_000;

export interface KeyVerdict {
  readonly violations: readonly Violation[];
  /** What a checker could not decide in its time: neither right nor wrong. */
  readonly undecided: readonly string[];
}

/** Two checkers are asked, which share no code: they have to agree. */
export async function judgeKeys(
  registers: History<unknown, unknown>,
  counters: History<unknown, unknown>,
): Promise<KeyVerdict> {
  const violations: Violation[] = [];
  const undecided: string[] = [];
  using porcupine = await Porcupine.build();
  const judge = async (model: Model<never, never, never>, history: History<unknown, unknown>) => {
    const own = checkLinearizable(model, history as History<never, never>, { budget_ms: BUDGET_MS });
    if (own.outcome === 'violation') {
      violations.push({ rule: 'keys are linearizable', detail: own.counterexample });
    } else if (own.outcome === 'undecided') undecided.push(`${own.key}: ${own.reason}`);
    const [second] = await porcupine.check(model.name, [history], { timeout_ms: BUDGET_MS });
    if (second === 'undecided') undecided.push(`${model.name}: Porcupine had not enough time`);
    if (second === 'violation' && own.outcome !== 'violation') {
      violations.push({
        rule: 'keys are linearizable',
        detail: `Porcupine says that the ${model.name}s are not, and the other checker did not find it`,
      });
    }
    if (second === 'linearizable' && own.outcome === 'violation') {
      undecided.push(`${model.name}: Porcupine says that it is linearizable`);
    }
  };
  await judge(REGISTER as unknown as Model<never, never, never>, registers);
  await judge(COUNTER as unknown as Model<never, never, never>, counters);
  return { violations, undecided };
}
