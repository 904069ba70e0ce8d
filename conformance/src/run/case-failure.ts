/** What a case found wrong, at the step that found it. */
import type { Place } from '../yaml/tree.ts';

export class CaseFailure extends Error {
  override readonly name = 'CaseFailure';

  constructor(place: Place, what: string, details: readonly string[] = []) {
    super([`${place.file}:${place.line}: ${what}`, ...details.map((line) => `    ${line}`)].join('\n'));
  }
}

/** The promise's value. @throws CaseFailure when it takes longer */
export async function within<T>(
  promise: Promise<T>,
  time_ms: number,
  place: Place,
  what: string,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new CaseFailure(place, `${what} within ${time_ms} ms`)),
    time_ms,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
