/**
 * Shares the partitions of a topic out among the members of a group: evenly (counts differ by at most one), and so
 * that as few partitions as possible change hands, since every change means redelivery.
 *
 * @param owners by partition, who holds it now; owners that are no members any more hold nothing
 * @param members ids in the order in which they joined
 * @returns by partition, who holds it then; undefined for all when there are no members
 */
export function shareOut(
  owners: readonly (string | undefined)[],
  members: readonly string[],
): (string | undefined)[] {
  const next = new Array<string | undefined>(owners.length).fill(undefined);
  if (members.length === 0) return next;

  const held = new Map<string, number>(members.map((member) => [member, 0]));
  for (const owner of owners) {
    const count = owner === undefined ? undefined : held.get(owner);
    if (owner !== undefined && count !== undefined) held.set(owner, count + 1);
  }

  const room = quotas(owners.length, members, held);
  const free: number[] = [];
  for (const [partition, owner] of owners.entries()) {
    const left = owner === undefined ? 0 : (room.get(owner) ?? 0);
    if (owner !== undefined && left > 0) {
      next[partition] = owner;
      room.set(owner, left - 1);
    } else {
      free.push(partition);
    }
  }

  let at = 0;
  for (const member of members) {
    for (let left = room.get(member) ?? 0; left > 0; left--) next[free[at++]!] = member;
  }
  return next;
}

/** How many partitions each member gets. Those that hold the most get the odd ones: they have the most to keep. */
function quotas(
  partitions: number,
  members: readonly string[],
  held: ReadonlyMap<string, number>,
): Map<string, number> {
  const least = Math.floor(partitions / members.length);
  const odd = partitions % members.length;
  // Sorting is stable, so that members that hold equally many stay in the order in which they joined.
  const byHeld = [...members].sort((a, b) => (held.get(b) ?? 0) - (held.get(a) ?? 0));
  return new Map(byHeld.map((member, place) => [member, place < odd ? least + 1 : least]));
}
