/** The replicas of a node in a cluster: made, found again at a start, and destroyed, so that no crash confuses two of them. */
import { incarnationOf, nodeOf } from '../cluster/replica-id.ts';
import { type Configuration, type Message, makeConfiguration } from '../raft/index.ts';
import { GROUP_ID_MAX, groupRange } from '../state/keys.ts';
import type { Store } from '../storage/store.ts';
import { CheckpointAbandonedError } from './checkpoints.ts';
import type { Group } from './group.ts';
import type { NodeLog } from './node-log.ts';
import type { ReplicaList, ReplicaRecord } from './replica-list.ts';

/** Messages kept for a replica while it is being made. What else comes is sent again. */
const EARLY_MESSAGES_MAX = 64;

export interface ReplicasHost {
  readonly log: NodeLog;
  readonly store: Store;
  group(id: number): Group | undefined;
  /** Opens the replica from what log and store hold, and lets it take part. */
  openGroup(record: ReplicaRecord): Group;
  /** Stops the replica: it neither answers nor sends any more. Resolves when nothing of it is under way. */
  closeGroup(group: Group): Promise<void>;
  /** Resolves when all that was given to the log is durable. */
  flushLog(): Promise<void>;
  /** Resolves once everything applied by now is on disk. Rejects when the node stops before. */
  written(): Promise<void>;
  /** Takes the messages that came while the replica was made. */
  receive(group: number, messages: readonly Message[]): void;
  reportBug(error: unknown, where: string): void;
}

/** A replica cannot be made or destroyed as asked. */
export class ReplicaRefusedError extends Error {
  override readonly name = 'ReplicaRefusedError';
}

export interface ReplicaOptions {
  readonly replicaId: number;
  /** The members before the first entry; empty for a replica that joins and learns them. */
  readonly configuration: Configuration;
}

interface Making {
  readonly replicaId: number;
  readonly early: Message[];
}

export class Replicas {
  readonly #host: ReplicasHost;
  readonly #nodeNumber: number;
  readonly #list: ReplicaList;
  readonly #isGiven: (group: number, replicaId: number) => boolean;
  /** By group: the last thing that is done about its replica; what comes next waits for it. */
  readonly #chains = new Map<number, Promise<unknown>>();
  /** Replicas that a message asked for, by group. */
  readonly #making = new Map<number, Making>();

  /** @param isGiven whether a replica may be made on the word of another node */
  constructor(
    host: ReplicasHost,
    nodeNumber: number,
    list: ReplicaList,
    isGiven: (group: number, replicaId: number) => boolean = () => true,
  ) {
    this.#host = host;
    this.#nodeNumber = nodeNumber;
    this.#list = list;
    this.#isGiven = isGiven;
  }

  all(): readonly ReplicaRecord[] {
    return this.#list.all();
  }

  /** Highest replica id of the group that ever was on this node, 0 when none was. */
  highest(group: number): number {
    return this.#list.highest(group);
  }

  /** At a start: opens every replica, once what is left of destroyed ones is gone. */
  async open(): Promise<void> {
    const { log, store } = this.#host;
    const left = [...this.#list.buriedGroups()].filter((group) => this.#list.get(group) === undefined);
    const logged = new Set(log.groups());
    for (const group of left) {
      if (logged.has(group) || hasRows(store, group)) await this.#clean(group);
    }
    for (const record of this.#list.all()) this.#host.openGroup(record);
  }

  /**
   * Makes a replica; resolves with the one that is there when it has that id. What log and store hold of a group without
   * a record is that of the node when it ran alone: the first replica goes on from it.
   * @throws ReplicaRefusedError when the id is not above all that were here, or another replica is in its place
   */
  create(group: number, { replicaId, configuration }: ReplicaOptions): Promise<Group> {
    return this.#inTurn(group, async () => {
      if (!(group >= 0 && group <= GROUP_ID_MAX)) throw new ReplicaRefusedError(`${group} is no group id`);
      if (nodeOf(replicaId) !== this.#nodeNumber) {
        throw new ReplicaRefusedError(`replica ${replicaId} is not one of node ${this.#nodeNumber}`);
      }
      const there = this.#host.group(group);
      if (there?.replicaId === replicaId) return there;
      if (there !== undefined || replicaId <= this.#list.highest(group)) {
        throw new ReplicaRefusedError(
          `group ${group} has had replica ${this.#list.highest(group)} here: ${replicaId} cannot follow it`,
        );
      }
      return this.#make({ group, replicaId, configuration });
    });
  }

  /** Destroys the group's replica for good, its log and its state. Nothing happens when there is none, or another by then. */
  destroy(group: number, replicaId?: number): Promise<void> {
    return this.#inTurn(group, async () => {
      // Another may have taken its place before it was this one's turn.
      if (replicaId !== undefined && this.#list.get(group)?.replicaId !== replicaId) return;
      await this.#destroy(group);
    });
  }

  /** A message for a replica that is not here: makes it when it is one to come, and the leader says so. */
  receiveUnknown(group: number, message: Message): void {
    const { type, to } = message;
    if (type !== 'append' && type !== 'heartbeat') return;
    const making = this.#making.get(group);
    if (making?.replicaId === to) {
      if (making.early.length < EARLY_MESSAGES_MAX) making.early.push(message);
      return;
    }
    if (making !== undefined || !this.#isToCome(group, to)) return;
    const made: Making = { replicaId: to, early: [message] };
    this.#making.set(group, made);
    this.#inTurn(group, () => this.#ensure(group, to)).then(
      () => {
        this.#making.delete(group);
        this.#host.receive(group, made.early);
      },
      (error: unknown) => {
        // They are dropped: taken once more they would only ask for it again, at once and without end.
        this.#making.delete(group);
        // The node stops; the leader goes on asking, and the next start finds what there is.
        if (error instanceof CheckpointAbandonedError) return;
        this.#host.reportBug(error, `making replica ${to} of group ${group}`);
      },
    );
  }

  /** The replica that a snapshot is for, made when it is one to come; undefined when it cannot be. */
  forSnapshot(group: number, replicaId: number): Promise<Group | undefined> {
    return this.#inTurn(group, async () => {
      const there = this.#host.group(group);
      if (there?.replicaId === replicaId) return there;
      return this.#isToCome(group, replicaId) ? this.#ensure(group, replicaId) : undefined;
    });
  }

  /** Resolves when nothing is being made or destroyed. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#chains.values());
  }

  #isToCome(group: number, replicaId: number): boolean {
    return (
      group >= 0 &&
      group <= GROUP_ID_MAX &&
      nodeOf(replicaId) === this.#nodeNumber &&
      replicaId > this.#list.highest(group) &&
      this.#isGiven(group, replicaId)
    );
  }

  async #ensure(group: number, replicaId: number): Promise<Group | undefined> {
    if (replicaId <= this.#list.highest(group)) return this.#host.group(group);
    await this.#destroy(group);
    return this.#make({ group, replicaId, configuration: makeConfiguration() });
  }

  async #make(record: ReplicaRecord): Promise<Group> {
    const { log, store } = this.#host;
    const { group, replicaId } = record;
    const hasData = log.groupState(group).lastIndex > 0 || hasRows(store, group);
    if (hasData && (incarnationOf(replicaId) > 0 || record.configuration.voters.length === 0)) {
      throw new ReplicaRefusedError(`group ${group} has data here that is not of replica ${replicaId}`);
    }
    await this.#list.add(record);
    return this.#host.openGroup(record);
  }

  async #destroy(group: number): Promise<void> {
    // From here on nothing brings it back, and a start completes what is left undone.
    await this.#list.bury(group);
    const there = this.#host.group(group);
    if (there !== undefined) await this.#host.closeGroup(there);
    if (this.#list.highest(group) > 0) await this.#clean(group);
  }

  /** Removes log and state, for good: the next replica of the group must not find them. */
  async #clean(group: number): Promise<void> {
    const { log, store } = this.#host;
    const { from, to } = groupRange(group);
    log.removeGroup(group);
    await this.#host.flushLog();
    store.deleteRange(from, to);
    await this.#host.written();
  }

  #inTurn<T>(group: number, act: () => Promise<T>): Promise<T> {
    const before = this.#chains.get(group) ?? Promise.resolve();
    const turn = before.then(act, act);
    this.#chains.set(group, turn);
    const forget = (): void => {
      if (this.#chains.get(group) === turn) this.#chains.delete(group);
    };
    turn.then(forget, forget);
    return turn;
  }
}

function hasRows(store: Store, group: number): boolean {
  for (const _row of store.range({ ...groupRange(group), limit: 1, keysOnly: true })) return true;
  return false;
}
