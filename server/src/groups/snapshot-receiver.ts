/**
 * Snapshots on their way in, and how one takes the place of a replica's log and state.
 *
 * 1. The bytes go to a file (snapshot-inbox.ts), which is synced, before the core hears of it.
 * 2. The core takes the snapshot message, or finds that it is no news: then the file goes.
 * 3. Its `Ready` gives up the log up to the snapshot: one record, durable before the next step. This decides.
 * 4. The rows of the group are replaced by those of the file, some at a time; last of all comes the row that says up to
 *    where they are applied.
 * 5. The replica goes on. The file goes once a checkpoint has taken all that.
 *
 * A crash before 3 leaves things as they were. After it, log and store do not fit: the store is behind the start of the
 * log, and the next start does step 4 again, from the file (`finishInstalls`).
 */
import { decodeConfiguration, type SnapshotMessage, sameConfiguration } from '../raft/index.ts';
import { readApplied, writeApplied } from '../state/applied.ts';
import { groupRange } from '../state/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Group } from './group.ts';
import { LogStateMismatchError } from './group-face.ts';
import type { NodeLog } from './node-log.ts';
import type { ReplicaRecord } from './replica-list.ts';
import { SnapshotDamagedError } from './snapshot-format.ts';
import type { ReceivedSnapshot, SnapshotInbox } from './snapshot-inbox.ts';

/** Snapshots taken in at once, over all groups. */
export const SNAPSHOTS_RECEIVED_MAX = 4;

/** A snapshot is not taken now. The leader tries again. */
export class SnapshotRefusedError extends Error {
  override readonly name = 'SnapshotRefusedError';
}

export interface SnapshotReceiverHost {
  readonly log: NodeLog;
  readonly store: Store;
  /** Carries out what is due. */
  drive(group: Group): void;
  /** Lets others have their turn, and waits for room in the store. False when there is no going on. */
  breathe(): Promise<boolean>;
  /** Resolves once everything applied by now is on disk. Rejects when the node stops before. */
  written(): Promise<void>;
  fail(error: Error): void;
}

interface Arrival {
  received: ReceivedSnapshot | undefined;
  readonly installed: PromiseWithResolvers<void>;
  /** Settles when nothing is left to do, the removal of the file included. */
  over: Promise<void>;
}

export class SnapshotReceiver {
  readonly #host: SnapshotReceiverHost;
  readonly #inbox: SnapshotInbox;
  readonly #arrivals = new Map<Group, Arrival>();

  constructor(host: SnapshotReceiverHost, inbox: SnapshotInbox) {
    this.#host = host;
    this.#inbox = inbox;
  }

  /**
   * Takes a snapshot in. Resolves when the replica has it or needs none.
   * @throws SnapshotRefusedError, SnapshotDamagedError, LevelTooNewError, what the disk says
   */
  receive(group: Group, message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#arrivals.has(group)) return refuse('another snapshot of the group is being taken in');
    if (this.#arrivals.size >= SNAPSHOTS_RECEIVED_MAX) return refuse('too many snapshots are being taken in');
    const installed = Promise.withResolvers<void>();
    const arrival: Arrival = { received: undefined, installed, over: Promise.resolve() };
    this.#arrivals.set(group, arrival);
    const taken = this.#receive(group, arrival, message, chunks);
    arrival.over = taken
      .catch(() => {})
      .then(() => this.#cleanUp(arrival))
      .finally(() => this.#arrivals.delete(group));
    return taken;
  }

  async #receive(
    group: Group,
    arrival: Arrival,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    // An answer is due also to a snapshot that is no news.
    if (message.snapshot.index > group.status().commit) {
      const received = await this.#inbox.receive(group.id, group.replicaId, chunks);
      arrival.received = received;
      checkFits(group, message, received);
    }
    if (group.stopped) throw new SnapshotRefusedError('the replica is no longer here');
    group.step(message);
    this.#host.drive(group);
    if (group.installing) await arrival.installed.promise;
  }

  /** The log was given up for the snapshot, durably: replaces the state. */
  async install(group: Group): Promise<void> {
    const { received, installed } = this.#arrivals.get(group)!;
    const { store } = this.#host;
    try {
      const goesOn = async (): Promise<boolean> => (await this.#host.breathe()) && !group.stopped;
      if (!(await replaceRows(store, group.id, received!, goesOn))) {
        installed.reject(new SnapshotRefusedError('the replica was stopped'));
        return;
      }
    } catch (error) {
      // Neither the old state nor the new: only a start can mend it, from the file.
      installed.reject(error);
      this.#host.fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    group.installed();
    installed.resolve();
    this.#host.drive(group);
  }

  /** Resolves when nothing of the group is being taken in or put away any more. */
  async settled(group: Group): Promise<void> {
    await this.#arrivals.get(group)?.over;
  }

  /** At a start: completes what a crash interrupted, and removes what is not needed. */
  async finishInstalls(replicas: readonly ReplicaRecord[]): Promise<void> {
    const { log, store } = this.#host;
    const done: ReceivedSnapshot[] = [];
    for (const { group, replicaId } of replicas) {
      const received = await this.#inbox.find(group, replicaId);
      if (received !== undefined) done.push(received);
      const { snapshotIndex } = log.groupState(group);
      if ((readApplied(store, group)?.index ?? 0) >= snapshotIndex) continue;
      if (received?.header.index !== snapshotIndex) {
        throw new LogStateMismatchError(
          `group ${group}: the log begins with a snapshot at entry ${snapshotIndex}, which neither the store has nor a ` +
            'file: put the whole data folder back from one copy',
        );
      }
      if (!(await replaceRows(store, group, received, () => this.#host.breathe()))) return;
    }
    if (done.length > 0) await this.#host.written();
    for (const received of done) await received.discard();
    await this.#inbox.sweep([]);
  }

  async #cleanUp({ received }: Arrival): Promise<void> {
    if (received === undefined) return;
    try {
      await this.#host.written();
      await received.discard();
    } catch {
      // The node stops: the next start finds the file and sees whether it is needed.
    }
  }
}

/**
 * Puts the rows of a snapshot in the place of the group's. Until the last step the group has no row that says up to
 * where it is applied. False when `goesOn` said so, half-way.
 */
async function replaceRows(
  store: Store,
  group: number,
  received: ReceivedSnapshot,
  goesOn: () => Promise<boolean>,
): Promise<boolean> {
  const { from, to } = groupRange(group);
  store.deleteRange(from, to);
  for await (const rows of received.rows()) {
    for (const { key, value } of rows) store.put(key, value);
    if (!(await goesOn())) return false;
  }
  writeApplied(store, group, received.header);
  return true;
}

function checkFits(group: Group, { snapshot }: SnapshotMessage, { header }: ReceivedSnapshot): void {
  const fits =
    header.group === group.id &&
    header.index === snapshot.index &&
    header.term === snapshot.term &&
    sameConfiguration(decodeConfiguration(header.membership!), snapshot.configuration);
  if (!fits) throw new SnapshotDamagedError('the snapshot is not the one that was announced');
}

function refuse(why: string): Promise<never> {
  return Promise.reject(new SnapshotRefusedError(why));
}
