/** Checks the names of queues, topics, consumers, groups and nodes. */
import { ErrorReason, GomsgError } from './errors.ts';

/** Longest name; its characters are ASCII, so this is also its bytes. */
export const MAX_NAME_LENGTH = 255;

/** `#` is not among them: ids such as `queue#sequence` are cut at it. */
const wellFormed = /^[A-Za-z0-9._\-:/@{}]+$/;

/**
 * Passes a well-formed name.
 * @param what the kind of thing that is named, such as `queue`: the request's field
 * @throws GomsgError INVALID_NAME
 */
export function checkName(name: string, what: string): void {
  if (name.length <= MAX_NAME_LENGTH && wellFormed.test(name)) return;
  throw new GomsgError({ reason: ErrorReason.INVALID_NAME, subject: what, message: problem(name, what) });
}

function problem(name: string, what: string): string {
  if (name === '') return `the ${what} name is empty`;
  if (name.length > MAX_NAME_LENGTH) {
    return `the ${what} name has ${name.length} characters; at most ${MAX_NAME_LENGTH} are allowed`;
  }
  const bad = [...name].find((character) => !wellFormed.test(character)) ?? '';
  return `the ${what} name ${JSON.stringify(name)} has the character ${JSON.stringify(bad)}; names have A-Z a-z 0-9 . _ - : / @ { }`;
}
