/**
 * What the control machine tells while it applies, on every node. Listeners must not call back into apply, and must not
 * read before the entry is done: they take note, and read later.
 */
export interface ControlListener {
  /** The cluster was founded: everything is there at once. */
  founded(): void;
  /** A node was admitted, changed, is leaving or left. */
  memberChanged(node: number): void;
  /** The desired replicas or the preferred leader of a group changed. */
  placementChanged(group: number): void;
  /** The number of replicas that groups are to have changed. */
  replicationChanged(): void;
  /** The level at which the cluster writes was raised. */
  levelRaised(): void;
  /** A setting of the cluster was set or removed. */
  settingChanged(name: string): void;
  /** Everything was read anew from the store. */
  reloaded(): void;
}
