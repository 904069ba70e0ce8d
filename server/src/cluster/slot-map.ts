/** Which group owns which of the 16,384 slots. */
import type { GroupRouter, ServiceGroup } from '../services/groups.ts';
import { SLOTS, slotOf } from '../state/crc16.ts';

/** Slots `first` to `last`, both included. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
}

/** Id of the first data group; 0 is kept for the control group. */
export const FIRST_DATA_GROUP = 1;

/** Ranges of equal size, within one slot, for groups `FIRST_DATA_GROUP` on. */
export function evenRanges(groups: number): SlotRange[] {
  return Array.from({ length: groups }, (_, position) => ({
    first: Math.ceil((position * SLOTS) / groups),
    last: Math.ceil(((position + 1) * SLOTS) / groups) - 1,
  }));
}

/** Routes names to the groups of this node. */
export class SlotRouter implements GroupRouter {
  /** Rises with every change of the map. */
  readonly epoch = 1;
  readonly ranges: readonly SlotRange[];
  readonly #groups: readonly ServiceGroup[];

  /** `groups`: by id, each owning the range at its position. */
  constructor(groups: readonly ServiceGroup[]) {
    this.#groups = groups;
    this.ranges = evenRanges(groups.length);
  }

  groupOf(name: string): ServiceGroup {
    if (this.#groups.length === 1) return this.#groups[0]!;
    return this.#groups[Math.floor((slotOf(name) * this.#groups.length) / SLOTS)]!;
  }

  dataGroups(): readonly ServiceGroup[] {
    return this.#groups;
  }
}
