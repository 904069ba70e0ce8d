/** Is a history of independent keys linearizable, and if not, what shows it? */
import type { History, Operation } from './history.ts';
import type { Model } from './model.ts';
import { findOrder, type Limits, type Ordering } from './ordering.ts';

export interface CheckOptions {
  /** For the whole history, the search for a short counterexample included. Default 60,000. */
  readonly budget_ms?: number;
  /** Kept in memory for one key at most. Default 500,000. */
  readonly maxConfigurations?: number;
  readonly now_ms?: () => number;
}

export type Verdict =
  | { readonly outcome: 'linearizable'; readonly keys: number; readonly operations: number }
  | { readonly outcome: 'violation'; readonly key: string; readonly counterexample: string }
  /** Nothing wrong was found, and not everything was looked at. */
  | { readonly outcome: 'undecided'; readonly key: string; readonly reason: string };

const DEFAULT_BUDGET_MS = 60_000;
const DEFAULT_MAX_CONFIGURATIONS = 500_000;
/** Operations that a counterexample shows before the place where it breaks. */
const SHOWN_BEFORE = 12;

/** A violation of any key wins over keys that could not be decided. */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  options: CheckOptions = {},
): Verdict {
  const { budget_ms = DEFAULT_BUDGET_MS, now_ms = () => performance.now() } = options;
  const limits: Limits = {
    deadline_ms: now_ms() + budget_ms,
    now_ms,
    maxConfigurations: options.maxConfigurations ?? DEFAULT_MAX_CONFIGURATIONS,
  };
  const byKey = Map.groupBy(history, ({ key }) => key);
  let undecided: Verdict | undefined;
  // Keys with little to do first: a violation in one of them is found before a hard one takes all the time.
  for (const [key, operations] of [...byKey].sort(([, a], [, b]) => a.length - b.length)) {
    const ordering = findOrder(model, operations, limits);
    if (ordering.outcome === 'none') {
      return { outcome: 'violation', key, counterexample: explain(model, key, operations, limits) };
    }
    if (ordering.outcome === 'gave up') undecided ??= { outcome: 'undecided', key, reason: ordering.reason };
  }
  return undecided ?? { outcome: 'linearizable', keys: byKey.size, operations: history.length };
}

/** The operations of a key that are enough to show that it is not linearizable. As few as the time allows. */
export function shrink<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: History<Input, Output>,
  limits: Limits,
): History<Input, Output> {
  const isBroken = (some: History<Input, Output>): boolean =>
    findOrder(model, some, limits).outcome === 'none';

  // Every beginning of a linearizable history is linearizable: the first end of an operation after which it is not
  // can be found by halving.
  const ends = [
    ...new Set(operations.filter(({ outcome }) => outcome === 'ok').map((each) => each.endedAt_us)),
  ];
  ends.sort((a, b) => a - b);
  let below = -1;
  let broken = ends.length - 1;
  while (broken - below > 1) {
    const middle = (below + broken) >> 1;
    if (isBroken(beginning(operations, ends[middle]!))) broken = middle;
    else below = middle;
  }
  let kept = beginning(operations, ends[broken]!);
  if (!isBroken(kept)) return operations;

  // Leaving out a read can only make the rest easier; leaving out a write could break what was right.
  for (const read of kept.filter(({ input, outcome }) => outcome === 'ok' && model.isRead(input))) {
    const without = kept.filter((operation) => operation !== read);
    if (isBroken(without)) kept = without;
  }
  return kept;
}

/** What was known at a moment: calls that ended later are under way. */
function beginning<Input, Output>(
  operations: History<Input, Output>,
  until_us: number,
): History<Input, Output> {
  return operations
    .filter(({ invokedAt_us, outcome }) => invokedAt_us <= until_us && outcome !== 'fail')
    .map((operation) => {
      if (operation.endedAt_us <= until_us) return operation;
      const { output: _unknownYet, ...rest } = operation;
      return { ...rest, outcome: 'unknown', endedAt_us: Number.POSITIVE_INFINITY };
    });
}

function explain<State, Input, Output>(
  model: Model<State, Input, Output>,
  key: string,
  operations: History<Input, Output>,
  limits: Limits,
): string {
  const few = shrink(model, operations, limits);
  const ordering = findOrder(model, few, { ...limits, deadline_ms: Number.POSITIVE_INFINITY });
  if (ordering.outcome !== 'none') throw new Error('a history stopped being wrong while it was explained');
  return text(model, key, operations, few, ordering);
}

function text<State, Input, Output>(
  model: Model<State, Input, Output>,
  key: string,
  all: History<Input, Output>,
  few: History<Input, Output>,
  { order, state, stuck }: Ordering<State, Input, Output> & { readonly outcome: 'none' },
): string {
  const line = ({ client, input, output, invokedAt_us, endedAt_us }: Operation<Input, Output>): string =>
    `  ${invokedAt_us}–${Number.isFinite(endedAt_us) ? endedAt_us : '…'} µs  client ${client}: ${model.describe(input, output)}`;
  const used = new Set(order);
  const open = few.filter(
    (each) => each.outcome === 'unknown' && !used.has(each) && !model.isRead(each.input),
  );
  return [
    `${key}: not linearizable as a ${model.name}. ${few.length} of its ${all.length} operations show it.`,
    `The longest order that gives the right answers${order.length > SHOWN_BEFORE ? `, its last ${SHOWN_BEFORE}` : ''}:`,
    ...order.slice(-SHOWN_BEFORE).map(line),
    `Then ${model.describeState(state)}, and one of these had to come next:`,
    ...stuck.map(line),
    ...(open.length > 0 ? ['Without an answer, and no help:', ...open.slice(-SHOWN_BEFORE).map(line)] : []),
  ].join('\n');
}
