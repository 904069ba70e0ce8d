/**
 * Levels: what the bytes that nodes share mean. An entry, a snapshot and a command of the control group say the level that
 * they were written at. A release that gives any of them a new meaning raises `LEVEL`, and goes on applying all levels
 * from `LEVEL_OLDEST` on.
 *
 * A cluster writes at the level that all its members apply, and raises it once the last one was upgraded
 * (docs/upgrades.md). A node on its own writes at its own.
 */

/** The newest level that this program applies. */
export const LEVEL = 1;

/** The oldest level that this program applies and writes: right for every cluster of which it can be a member. */
export const LEVEL_OLDEST = 1;

/** The cluster writes what this program does not know: it must not take part, not even in elections. */
export class LevelTooNewError extends Error {
  override readonly name = 'LevelTooNewError';

  /** @param what what is written at that level */
  constructor(what: string, level: number) {
    super(
      `${what} is at level ${level}, and this gomsg applies levels up to ${LEVEL}: start the newer version on this node again, or upgrade it`,
    );
  }
}

/** A level as it is sent: programs older than the field leave it out. */
export function levelSent(level: number): number {
  return level === 0 ? LEVEL_OLDEST : level;
}
