/** Keys of the control state: the table letter, a letter for the kind of row, then what the row is about. */
import { groupPrefix, readU32Key, readUtf8Key, table, u32Key, utf8Key } from '../keys.ts';

export class ControlLayout {
  /** The row of the cluster as a whole. */
  readonly cluster: string;
  /** Prefixes. */
  readonly members: string;
  readonly groups: string;
  readonly settings: string;

  constructor(group: number) {
    const prefix = groupPrefix(group) + table.control;
    this.cluster = `${prefix}c`;
    this.members = `${prefix}m`;
    this.groups = `${prefix}g`;
    this.settings = `${prefix}s`;
  }

  member(node: number): string {
    return this.members + u32Key(node);
  }

  group(group: number): string {
    return this.groups + u32Key(group);
  }

  setting(name: string): string {
    return this.settings + utf8Key(name);
  }

  /** Number of the node or group of a row. */
  numberOf(key: string): number {
    return readU32Key(key, key.length - 4);
  }

  settingOf(key: string): string {
    return readUtf8Key(key.slice(this.settings.length));
  }
}
