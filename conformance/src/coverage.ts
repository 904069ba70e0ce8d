/** Whether the cases touch everything that the contracts promise: every method of every SDK, every error reason. */
import { allSteps, type Case, type ExpectedError, type Step } from './case.ts';
import { CATALOGUE } from './catalogue.ts';
import { SDK_NAMES } from './sdks.ts';

/** An entry of the generated list `methods.json`. */
export interface Method {
  readonly service: string;
  readonly method: string;
}

/** Reasons that no case can bring about, with why: none, since the scripted server gives what others do not. */
export const EXEMPT_REASONS: ReadonlyMap<string, string> = new Map<string, string>();

/** What no case covers, one line each; empty = nothing is missing. */
export function uncovered(cases: readonly Case[], methods: readonly Method[]): readonly string[] {
  return [
    ...SDK_NAMES.flatMap((sdk) => {
      const used = methodsUsed(cases.filter(({ sdks }) => sdks.length === 0 || sdks.includes(sdk)));
      return methods
        .map(({ service, method }) => `${service}.${method}`)
        .filter((name) => !used.has(name))
        .map((name) => `no case for ${sdk} calls ${name}`);
    }),
    ...reasonsUncovered(cases),
  ];
}

/** Methods that cases use and the list does not know: misspelled, or gone. */
export function unknownMethods(cases: readonly Case[], methods: readonly Method[]): readonly string[] {
  const known = new Set(methods.map(({ service, method }) => `${service}.${method}`));
  return cases.flatMap(({ steps }) =>
    [...allSteps(steps)].flatMap((step) =>
      (step.do === 'call' || step.do === 'open') && !known.has(step.method)
        ? [`${step.place.file}:${step.place.line}: no method is called ${step.method}`]
        : [],
    ),
  );
}

function methodsUsed(cases: readonly Case[]): ReadonlySet<string> {
  const used = new Set<string>();
  for (const { steps } of cases) {
    for (const step of allSteps(steps)) if (step.do === 'call' || step.do === 'open') used.add(step.method);
  }
  return used;
}

function reasonsUncovered(cases: readonly Case[]): readonly string[] {
  const expected = new Set(
    cases.flatMap(({ steps }) => [...allSteps(steps)].flatMap((step) => errorOf(step)?.reasons ?? [])),
  );
  const missing = [...CATALOGUE.keys()]
    .filter((reason) => !expected.has(reason) && !EXEMPT_REASONS.has(reason))
    .map((reason) => `no case expects ${reason}`);
  const needless = [...EXEMPT_REASONS.keys()]
    .filter((reason) => expected.has(reason))
    .map((reason) => `${reason} is exempt, and yet a case expects it`);
  return [...missing, ...needless];
}

function errorOf(step: Step): ExpectedError | undefined {
  if (step.do === 'ended' || step.do === 'handled') return step.error;
  if (!('expect' in step) || step.expect === undefined || !('kind' in step.expect)) return undefined;
  return step.expect.kind === 'error' || step.expect.kind === 'either' ? step.expect.error : undefined;
}
