/** Whether what came of a call is what its case expects. */

import type { Expectation, ExpectedError } from '../case.ts';
import { CATALOGUE } from '../catalogue.ts';
import type { Outcome } from '../client/client-process.ts';
import type { Error as CallError } from '../gen/gomsg/conformance/v1/conformance_pb.js';
import { type Datum, Fields, shown } from '../value/datum.ts';
import { type Differences, differences } from '../value/match.ts';
import type { Scope } from '../value/scope.ts';
import { fromWire } from '../value/wire.ts';

export interface Judged {
  readonly differences: Differences;
  /** What is kept by `bind` and `collect`: the result, or of an error its fields. */
  readonly value: Datum;
}

/** `method` is the one that was called; undefined where errors name none. */
export function judge(
  outcome: Outcome,
  expectation: Expectation,
  scope: Scope,
  method: string | undefined,
): Judged {
  if (outcome.case === 'error') {
    const error = outcome.value;
    const value = errorFields(error);
    if (expectation.kind === 'error' || expectation.kind === 'either')
      return { differences: ofError(expectation.error, error, scope, method), value };
    return { differences: [`it failed: ${shownError(error)}`], value };
  }
  const value = outcome.case === 'result' ? fromWire(outcome.value) : null;
  switch (expectation.kind) {
    case 'error':
      return {
        differences: [`expected ${expectation.error.reasons.join(' or ')}, got ${shown(value)}`],
        value,
      };
    case 'success':
      return { differences: [], value };
    default:
      return { differences: differences(expectation.tree, value, scope), value };
  }
}

/** How an error differs from the one that was expected, and from what the catalogue says of its reason. */
export function ofError(
  expected: ExpectedError,
  error: CallError,
  scope: Scope,
  method: string | undefined,
): Differences {
  if (!expected.reasons.includes(error.reason))
    return [`expected ${expected.reasons.join(' or ')}, got ${shownError(error)}`];
  const { code, family, retryable } = CATALOGUE.get(error.reason)!;
  const found: string[] = [];
  const check = (field: string, wanted: unknown, got: unknown) => {
    if (wanted !== got) found.push(`the error's ${field}: expected ${wanted}, got ${got || 'nothing'}`);
  };
  check('code', code, error.code);
  check('family', family, error.family);
  check('retryable', retryable, error.retryable);
  if (error.message === '') found.push('the error has no message');
  // Twins are methods of their own, or of their plain namesake's name: both tell the reader which call it was.
  if (method !== undefined && expected.method === undefined && error.method !== method)
    check('method', method.replace(/_(bytes|iter)$/, ''), error.method);
  for (const field of ['subject', 'message', 'method'] as const) {
    const tree = expected[field];
    if (tree !== undefined) found.push(...differences(tree, error[field], scope, `the error's ${field}`));
  }
  return found.length > 0 ? [...found, `in ${shownError(error)}`] : found;
}

export function shownError(error: CallError): string {
  const { reason, code, family, message, method, subject } = error;
  return `${reason || 'an error without a reason'} (code ${code}, family ${family || 'none'}, method ${method || 'none'}, subject ${JSON.stringify(subject)}): ${message}`;
}

function errorFields({ reason, code, subject, message }: CallError): Datum {
  return new Fields(
    new Map<string, Datum>([
      ['reason', reason],
      ['code', BigInt(code)],
      ['subject', subject],
      ['message', message],
    ]),
  );
}
