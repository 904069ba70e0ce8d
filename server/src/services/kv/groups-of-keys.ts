/** Which groups can have keys that begin with a prefix. */
import type { GroupRouter, ServiceGroup } from '../groups.ts';

/**
 * All data groups, unless the prefix holds a whole `{tag}`: every key behind it then has the prefix's slot.
 * `isWholeKey`: the prefix is the only key in question.
 */
export function groupsOfPrefix(
  router: GroupRouter,
  prefix: string,
  isWholeKey = false,
): readonly ServiceGroup[] {
  return isWholeKey || hasWholeTag(prefix) ? [router.groupOf(prefix)] : router.dataGroups();
}

/** As the slot function sees it: from the first `{` to the first `}` behind it, not empty. */
function hasWholeTag(prefix: string): boolean {
  const open = prefix.indexOf('{');
  return open >= 0 && prefix.indexOf('}', open + 1) > open + 1;
}
