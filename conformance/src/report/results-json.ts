/** `results.json`: every result, for programs. */
import type { CaseResult } from '../run/suite.ts';

export function resultsJson(results: readonly CaseResult[], time_ms: number): string {
  const rows = results.map(({ sdk, case: { id, shows }, status, time_ms, message }) => ({
    sdk,
    case: id,
    shows,
    status,
    time_ms: Math.round(time_ms),
    ...(message === '' ? {} : { message }),
  }));
  return `${JSON.stringify({ time_ms: Math.round(time_ms), results: rows }, null, 2)}\n`;
}
