/**
 * Runs the groups of a node in step with the event loop.
 *
 * A turn: every group with waiting commands makes its entry, all entries of all groups go to the log in one write and
 * one sync, and when that is done everything committed is applied and answered. While a sync is under way the next
 * turn's entries gather behind it. No timer is on this path: a turn runs as soon as the event loop has taken in what
 * was there.
 *
 * In a cluster there are turns too that messages and ticks begin: what they make due for all groups goes to the log
 * together, and to each other node together.
 */
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Clustered } from './clustered.ts';
import type { Expiry } from './expiry.ts';
import type { Group } from './group.ts';
import type { Written } from './group-face.ts';
import type { NodeLog } from './node-log.ts';
import type { Room } from './room.ts';

/**
 * Commands that one group applies before the event loop gets a chance to send their answers and to read its sockets:
 * about a millisecond of work.
 */
const APPLIED_PER_STEP = 256;

export interface TurnParts {
  /** All groups of the node, as they are at each moment. */
  readonly groups: readonly Group[];
  readonly log: NodeLog;
  readonly metrics: NodeMetrics;
  readonly room: Room;
  readonly expiry: Expiry;
  readonly checkpoints: Checkpoints;
  /** Of a node with others. */
  readonly cluster: () => Clustered | undefined;
  /** Does the work, unless the node is over. What it throws ends the node. */
  readonly guard: (work: () => void) => void;
  readonly fail: (error: Error) => void;
  readonly isOver: () => boolean;
  /** Called at the end of each turn. */
  readonly onEnd: () => void;
}

interface Write {
  readonly group: Group;
  readonly written: Written;
}

export class Turns {
  readonly #parts: TurnParts;
  /** Groups that asked for a turn. */
  #scheduled: Group[] = [];
  #turnDue = false;
  #driveDue = false;
  /** Groups that may have something to do. */
  readonly #active = new Set<Group>();

  constructor(parts: TurnParts) {
    this.#parts = parts;
  }

  /** Has the waiting commands of a group proposed in the next turn. */
  schedule(group: Group): void {
    this.#scheduled.push(group);
    if (this.#turnDue) return;
    this.#turnDue = true;
    setImmediate(this.#turn);
  }

  /** The same for all groups that have any. */
  scheduleWaiting(): void {
    for (const group of this.#parts.groups) if (group.waiting > 0) this.schedule(group);
  }

  /** Has what is due for a group done in the next turn. */
  activate(group: Group): void {
    this.#active.add(group);
    this.#driveAgain();
  }

  /** Does what is due for these groups, and for all others that have something to do, in this turn. */
  drive(groups: readonly Group[]): void {
    for (const group of groups) this.#active.add(group);
    this.#drive();
  }

  /** A group is gone. */
  forget(group: Group): void {
    this.#active.delete(group);
  }

  readonly #turn = (): void => {
    const { room, guard } = this.#parts;
    this.#turnDue = false;
    const scheduled = this.#scheduled;
    this.#scheduled = [];
    guard(() => {
      for (const group of scheduled) {
        group.proposeWaiting();
        if (!group.stopped) this.#active.add(group);
      }
    });
    this.#drive();
    room.noteHeld();
  };

  /**
   * Takes every group's work and syncs the log once for all of them; then applies some of what is committed, while the
   * disk works, and comes back for the rest.
   */
  readonly #drive = (): void => {
    const { guard, room, expiry, checkpoints, cluster, onEnd } = this.#parts;
    this.#driveDue = false;
    guard(() => {
      const writes: Write[] = [];
      for (const group of this.#active) {
        while (group.hasReady()) {
          const written = group.advance();
          if (written !== undefined) writes.push({ group, written });
        }
      }
      if (writes.length > 0) this.#sync(writes);
      for (const group of this.#active) {
        const mayApply = this.#mayApply(group);
        if (mayApply) group.applySome(APPLIED_PER_STEP);
        if (group.hasReady() || (mayApply && group.applying)) this.#driveAgain();
        else this.#active.delete(group);
        expiry.arm(group);
      }
      cluster()?.flush();
      checkpoints.writeIfDue();
    });
    room.turnOver();
    onEnd();
  };

  /** A leader that is held proposes nothing more. A follower has no say in that, and lets its log grow instead. */
  #mayApply(group: Group): boolean {
    return !this.#parts.room.held || group.isLeader || group.isAlone;
  }

  #driveAgain(): void {
    if (this.#driveDue) return;
    this.#driveDue = true;
    setImmediate(this.#drive);
  }

  #sync(writes: readonly Write[]): void {
    const { log, metrics, checkpoints, fail, isOver } = this.#parts;
    const started = performance.now();
    metrics.wal.bytes.add(log.pendingBytes);
    let entries = 0;
    for (const { written } of writes) {
      if (written.index > 0) entries++;
      checkpoints.logged(written.bytes);
    }
    metrics.wal.entries.add(entries);
    log.flush((error) => {
      if (isOver()) return;
      if (error !== undefined) {
        fail(error);
        return;
      }
      metrics.wal.syncSeconds.observe((performance.now() - started) / 1000);
      metrics.wal.syncEntries.observe(entries);
      this.#synced(writes);
    });
  }

  #synced(writes: readonly Write[]): void {
    const { guard, cluster } = this.#parts;
    guard(() => {
      for (const { group, written } of writes) {
        group.persisted(written);
        if (written.snapshot !== undefined) cluster()?.install(group);
        if (!group.stopped) this.#active.add(group);
      }
    });
    this.#drive();
    // Those for which the log had no room.
    this.scheduleWaiting();
  }
}
