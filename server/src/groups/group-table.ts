/** The groups of a node. */
import type { Group } from './group.ts';

export class GroupTable {
  /** By rising id. */
  readonly #all: Group[] = [];
  readonly #byId = new Map<number, Group>();

  /** All groups by rising id, as they are at each moment: the same list each time. */
  get all(): readonly Group[] {
    return this.#all;
  }

  get(id: number): Group | undefined {
    return this.#byId.get(id);
  }

  add(group: Group): void {
    const at = this.#all.findIndex(({ id }) => id > group.id);
    this.#all.splice(at < 0 ? this.#all.length : at, 0, group);
    this.#byId.set(group.id, group);
  }

  remove(group: Group): void {
    this.#all.splice(this.#all.indexOf(group), 1);
    this.#byId.delete(group.id);
  }
}
