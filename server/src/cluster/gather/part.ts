/** A part of a call that is about several groups: the same call, of some of them. */
import type { CallContext } from '../../services/method.ts';

/** The header of a passed-on part: the ids of the groups that it is about, with commas between them. */
const GROUPS_HEADER = 'gomsg-groups';

export function partHeaders(groups: readonly number[]): Record<string, string> {
  return { [GROUPS_HEADER]: groups.join(',') };
}

/** The groups that a passed-on call is about; undefined = all that it names. */
export function partOf(
  headers: Readonly<Record<string, string>> | undefined,
): ReadonlySet<number> | undefined {
  const groups = headers?.[GROUPS_HEADER];
  return groups === undefined ? undefined : new Set(groups.split(',').map(Number));
}

/** The context of a part that this node answers itself. A session has nothing to do with calls that only read. */
export function partContext(
  whole: CallContext,
  groups: readonly number[],
  signal?: AbortSignal,
): CallContext {
  const { protocol, peer, deadline_ms } = whole;
  return {
    protocol,
    peer,
    deadline_ms,
    session: undefined,
    groups: new Set(groups),
    // Asked for on demand: some contexts make theirs only then.
    get signal() {
      return signal ?? whole.signal;
    },
    header: (name) => whole.header(name),
  };
}
