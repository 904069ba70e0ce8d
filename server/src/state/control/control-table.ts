/** The control state in memory, and what of it has to be written down at the next save. */
import { SLOTS } from '../crc16.ts';
import { prefixEnd } from '../keys.ts';
import type { StateRow, StateStore } from '../machine.ts';
import type { GroupPlacement } from './group-placement.ts';
import type { ControlLayout } from './layout.ts';
import { CONTROL_GROUP } from './limits.ts';
import type { Member } from './member.ts';
import {
  type ClusterRecord,
  decodeCluster,
  decodeGroup,
  decodeMember,
  encodeCluster,
  encodeGroup,
  encodeMember,
} from './records.ts';

export class ControlTable {
  /** Undefined until the cluster is founded. */
  cluster: ClusterRecord | undefined;
  readonly #store: StateStore;
  readonly #layout: ControlLayout;
  /** By number, which is also the order of their admission. */
  readonly #members = new Map<number, Member>();
  readonly #numbers = new Map<string, number>();
  /** By id. */
  readonly #groups: GroupPlacement[] = [];
  /** Group of each slot. */
  readonly #groupOfSlot = new Uint16Array(SLOTS);
  readonly #settings = new Map<string, string>();
  #clusterDirty = false;
  readonly #dirtyMembers = new Set<Member>();
  readonly #dirtyGroups = new Set<GroupPlacement>();
  readonly #dirtySettings = new Set<string>();

  constructor(store: StateStore, layout: ControlLayout) {
    this.#store = store;
    this.#layout = layout;
  }

  /** All that were ever admitted, by number. */
  members(): Iterable<Member> {
    return this.#members.values();
  }

  member(node: number): Member | undefined {
    return this.#members.get(node);
  }

  numberOf(nodeId: string): number | undefined {
    return this.#numbers.get(nodeId);
  }

  /** By id, the control group first; empty until the cluster is founded. */
  get groups(): readonly GroupPlacement[] {
    return this.#groups;
  }

  group(group: number): GroupPlacement | undefined {
    return this.#groups[group];
  }

  /** The group that owns a slot; undefined until the cluster is founded. */
  groupOfSlot(slot: number): number | undefined {
    return this.cluster && this.#groupOfSlot[slot];
  }

  /** In no particular order. */
  settings(): ReadonlyMap<string, string> {
    return this.#settings;
  }

  /** The epoch of a change. */
  nextEpoch(cluster: ClusterRecord): number {
    this.#clusterDirty = true;
    return ++cluster.epoch;
  }

  touchCluster(): void {
    this.#clusterDirty = true;
  }

  touchMember(member: Member): void {
    this.#dirtyMembers.add(member);
  }

  touchGroup(placement: GroupPlacement): void {
    this.#dirtyGroups.add(placement);
  }

  addMember(member: Member): void {
    this.#members.set(member.number, member);
    this.#numbers.set(member.nodeId, member.number);
    this.touchMember(member);
  }

  addGroup(placement: GroupPlacement): void {
    this.#groups.push(placement);
    for (const { first, last } of placement.slots) {
      this.#groupOfSlot.fill(placement.group, first, last + 1);
    }
    this.touchGroup(placement);
  }

  setSetting(name: string, value: string | undefined): void {
    if (value === undefined) this.#settings.delete(name);
    else this.#settings.set(name, value);
    this.#dirtySettings.add(name);
  }

  /** Every node that has not left holds the control group: makes learners of those that do not vote. */
  enrolInControlGroup(voters: readonly number[], epoch: number): void {
    const control = this.#groups[CONTROL_GROUP]!;
    const present = [...this.members()].filter(({ standing }) => standing !== 'left');
    control.vote(
      voters,
      present.map(({ number }) => number),
      epoch,
    );
    this.touchGroup(control);
  }

  save(): void {
    if (this.#clusterDirty && this.cluster) {
      this.#store.put(this.#layout.cluster, encodeCluster(this.cluster));
    }
    for (const member of this.#dirtyMembers) {
      this.#store.put(this.#layout.member(member.number), encodeMember(member));
    }
    for (const placement of this.#dirtyGroups) {
      this.#store.put(this.#layout.group(placement.group), encodeGroup(placement));
    }
    for (const name of this.#dirtySettings) {
      const value = this.#settings.get(name);
      if (value === undefined) this.#store.delete(this.#layout.setting(name));
      else this.#store.put(this.#layout.setting(name), Buffer.from(value));
    }
    this.#forgetDirty();
  }

  load(): void {
    this.#members.clear();
    this.#numbers.clear();
    this.#groups.length = 0;
    this.#settings.clear();
    const record = this.#store.get(this.#layout.cluster);
    this.cluster = record && decodeCluster(record);
    for (const { key, value } of this.#rows(this.#layout.members)) {
      this.addMember(decodeMember(this.#layout.numberOf(key), value));
    }
    for (const { key, value } of this.#rows(this.#layout.groups)) {
      this.addGroup(decodeGroup(this.#layout.numberOf(key), value));
    }
    for (const { key, value } of this.#rows(this.#layout.settings)) {
      this.#settings.set(this.#layout.settingOf(key), Buffer.from(value).toString());
    }
    this.#forgetDirty();
  }

  #forgetDirty(): void {
    this.#clusterDirty = false;
    this.#dirtyMembers.clear();
    this.#dirtyGroups.clear();
    this.#dirtySettings.clear();
  }

  #rows(prefix: string): Iterable<StateRow> {
    return this.#store.range({ from: prefix, to: prefixEnd(prefix)! });
  }
}
