import { distance } from 'fastest-levenshtein';

/** Shorter than this, a word begins too many others for that to be a clue. */
const MIN_PREFIX_LETTERS = 3;

/**
 * The candidate a mistyped word most likely meant, or undefined when none is near. Case and the separators `-`,
 * `_` and `.` count for nothing, so `maxValueBytes` and `max_value_bytes` both find `max-value-bytes`; beyond
 * that a third of the letters may be wrong (two at least, which two swapped letters are), or an end missing.
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = letters(word);
  let best: string | undefined;
  let bestDistance = Math.max(wanted.length > MIN_PREFIX_LETTERS ? 2 : 1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const other = letters(candidate);
    const found = isBeginning(wanted, other) ? Math.min(1, distance(wanted, other)) : distance(wanted, other);
    if (found < bestDistance) {
      best = candidate;
      bestDistance = found;
    }
  }
  return best;
}

/** Whether the shorter of the two begins the longer. */
function isBeginning(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= MIN_PREFIX_LETTERS && (a.startsWith(b) || b.startsWith(a));
}

function letters(word: string): string {
  return word.toLowerCase().replace(/[-_.]/g, '');
}
