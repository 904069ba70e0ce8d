/**
 * Each breaks one rule that a node rests on, between consensus, log and state, to show that random runs notice. A rule
 * that can be broken unnoticed is a rule that is not tested.
 */
import { ErrorReason } from '../../../gen/gomsg/v1/common_pb.js';
import { GroupState } from '../../../state/group-state.ts';
import { groupPrefix, table } from '../../../state/keys.ts';
import { SessionTable } from '../../../state/sessions.ts';
import type { Store, StoreSnapshot } from '../../../storage/store.ts';
import type { LogFile, LogFiles } from '../../../wal/log-files.ts';
import { Group } from '../../group.ts';
import type { NodeLog } from '../../node-log.ts';
import { ProposedWrites } from '../../proposed-writes.ts';
import { ReplicaList } from '../../replica-list.ts';
import { WaitingReads } from '../../waiting-reads.ts';
import type { Sabotage } from '../simulated-hosts.ts';

export interface GroupMutation {
  /** What holds, and is broken. */
  readonly rule: string;
  readonly sabotage?: Sabotage;
  /** Breaks it in the process as a whole; returns what mends it. */
  readonly install?: () => () => void;
}

/** The same object with some of its members replaced, private state behind it included. */
function replaced<T extends object>(object: T, members: Partial<T>): T {
  return new Proxy(object, {
    get: (target, name) => {
      if (name in members) return members[name as keyof T];
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Replaces a method of all objects of a class; returns what puts it back. */
function patched<T extends object, K extends keyof T & string>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = prototype[name];
  prototype[name] = make(original);
  return () => {
    prototype[name] = original;
  };
}

/** Files whose syncs end as the replacement wants. */
function withSyncs(sync: (file: LogFile, done: Parameters<LogFile['fdatasync']>[0]) => void) {
  return (files: LogFiles): LogFiles =>
    replaced(files, {
      open: (name, create) => {
        const file = files.open(name, create);
        return replaced(file, { fdatasync: (done) => sync(file, done) });
      },
    });
}

function isSessionRow(key: string): boolean {
  return key[groupPrefix(0).length] === table.session;
}

function withoutSessions(snapshot: StoreSnapshot): StoreSnapshot {
  return replaced(snapshot, {
    *range(options) {
      for (const row of snapshot.range(options)) if (!isSessionRow(row.key)) yield row;
    },
  });
}

/** Rounds of the event loop in which a destroyed replica is taken apart, all but always. */
const TURNS_REMEMBERED = 40;

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export const groupMutations: readonly GroupMutation[] = [
  {
    rule: 'a write is durable before it is answered',
    sabotage: {
      log: (log: NodeLog) =>
        replaced(log, {
          flush: (callback) => {
            log.flush(() => {});
            setImmediate(callback);
          },
        }),
    },
  },
  {
    rule: 'term and vote are in the log before the node speaks of them',
    sabotage: { log: (log: NodeLog) => replaced(log, { saveHardState: () => {} }) },
  },
  {
    rule: 'a node whose log failed to sync ends',
    sabotage: { logFiles: withSyncs((file, done) => file.fdatasync(() => done())) },
  },
  {
    rule: 'the log is cut only behind what the store has on disk',
    sabotage: {
      log: (log, node) =>
        replaced(log, {
          flush: (callback) => {
            for (const { id, state } of node.host.groups) log.release(id, state.appliedIndex);
            log.flush(callback);
          },
        }),
    },
  },
  {
    rule: 'a snapshot and the list of replicas are on disk before anything relies on them',
    sabotage: { files: withSyncs((_file, done) => setImmediate(done)) },
  },
  {
    rule: 'the sessions are part of a snapshot',
    sabotage: {
      store: (store: Store) => replaced(store, { snapshot: () => withoutSessions(store.snapshot()) }),
    },
  },
  {
    rule: 'a write that is sent again has the outcome of the first',
    install: () => patched(SessionTable.prototype, 'finish', () => () => {}),
  },
  {
    rule: 'entries apply with the stamp of the leader, not by the clock of the node',
    install: () => {
      const clocks = new WeakMap<GroupState, number>();
      let next = 0;
      return patched(
        GroupState.prototype,
        'apply',
        (apply) =>
          function (this: GroupState, index, term, stamp_ms, commands) {
            const ahead_ms = clocks.get(this) ?? next++;
            clocks.set(this, ahead_ms);
            return apply.call(this, index, term, stamp_ms + ahead_ms, commands);
          },
      );
    },
  },
  {
    rule: 'a confirmed read waits until what it has to see is applied',
    install: () =>
      patched(
        WaitingReads.prototype,
        'serve',
        (serve) =>
          function (this: WaitingReads, _appliedIndex, hand) {
            serve.call(this, Number.POSITIVE_INFINITY, hand);
          },
      ),
  },
  {
    rule: 'a replica that was destroyed does not come back under its id',
    install: () => {
      // Until its rows and its log are gone it is remembered: it is to come back as one that knows nothing.
      const fresh = new WeakSet<ReplicaList>();
      const mendBury = patched(
        ReplicaList.prototype,
        'bury',
        (bury) =>
          async function (this: ReplicaList, group) {
            fresh.add(this);
            await bury.call(this, group);
            void turns(TURNS_REMEMBERED).then(() => fresh.delete(this));
          },
      );
      const mendHighest = patched(
        ReplicaList.prototype,
        'highest',
        (highest) =>
          function (this: ReplicaList, group) {
            return fresh.has(this) ? highest.call(this, group) : (this.get(group)?.replicaId ?? 0);
          },
      );
      return () => {
        mendBury();
        mendHighest();
      };
    },
  },
  {
    rule: 'a replica that hibernates goes on when the node of its leader falls silent',
    install: () => patched(Group.prototype, 'wake', () => () => {}),
  },
  {
    rule: 'a write that is in a log is never said not to be done',
    install: () =>
      patched(
        ProposedWrites.prototype,
        'takeAll',
        (takeAll) =>
          function (this: ProposedWrites) {
            return takeAll.call(this).map((proposed) => ({
              ...proposed,
              proposals: proposed.proposals.map((proposal) => ({
                ...proposal,
                reply: {
                  ok: proposal.reply.ok,
                  fail: () =>
                    proposal.reply.fail({ reason: ErrorReason.NOT_LEADER, message: 'it was not done' }),
                },
              })),
            }));
          },
      ),
  },
];
