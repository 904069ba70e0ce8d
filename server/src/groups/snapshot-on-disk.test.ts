/** A snapshot between two hosts with the log and the store that nodes run with. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { nodeOf } from '../cluster/replica-id.ts';
import { NodeMetrics } from '../observe/node-metrics.ts';
import { makeConfiguration } from '../raft/index.ts';
import { groupRange } from '../state/keys.ts';
import { openLmdbStore } from '../storage/lmdb-store.ts';
import type { Store } from '../storage/store.ts';
import { logFilesIn } from '../wal/log-files.ts';
import { Wal } from '../wal/wal.ts';
import { GroupHost } from './host.ts';
import type { Peers } from './peers.ts';
import { get, set } from './testing/host-fixture.ts';

const MIB = 1024 * 1024;

interface Node {
  readonly host: GroupHost;
  readonly store: Store;
  readonly wal: Wal;
  close(): Promise<void>;
}

class Pair {
  readonly #folder = mkdtempSync(join(tmpdir(), 'gomsg-groups-'));
  readonly nodes = new Map<number, Node>();
  readonly fatal: Error[] = [];
  /** Snapshots that were sent. */
  snapshots = 0;

  constructor() {
    onTestFinished(async () => {
      for (const node of this.nodes.values()) await node.close();
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  folder(number: number): string {
    return join(this.#folder, `node${number}`);
  }

  async start(number: number): Promise<Node> {
    const folder = this.folder(number);
    const onFatal = (error: Error): void => {
      this.fatal.push(error);
    };
    let hosting: GroupHost | undefined;
    const store = await openLmdbStore(folder, {
      mapSizeBytes: 1024 * MIB,
      checkpointBytes: MIB,
      maxOverlayBytes: 2 * MIB,
      onFatal,
      onUnblocked: () => hosting?.resume(),
    });
    const wal = await Wal.open(join(folder, 'wal'), {
      segmentBytes: MIB,
      tailSegments: 1,
      onFailure: onFatal,
    });
    const host = new GroupHost({
      log: wal,
      store,
      metrics: new NodeMetrics(),
      clock: Date.now,
      monotonic: () => performance.now(),
      random: Math.random,
      sessionIdleTimeout_ms: 3_600_000,
      node: { nodeId: `node${number}`, address: '' },
      onFatal,
      reportBug: (error) => onFatal(error as Error),
      cluster: { nodeNumber: number, peers: this.#peers(), files: logFilesIn(join(folder, 'groups')) },
    });
    hosting = host;
    await host.open();
    await host.start();
    const close = async (): Promise<void> => {
      this.nodes.delete(number);
      await host.stop();
      await wal.close();
      await store.close();
    };
    const node = { host, store, wal, close };
    this.nodes.set(number, node);
    return node;
  }

  #peers(): Peers {
    return {
      send: (group, message) => {
        setImmediate(() => this.nodes.get(nodeOf(message.to))?.host.receive(group, [message]));
      },
      flush: () => {},
      sendSnapshot: async (group, message, chunks) => {
        this.snapshots++;
        const to = this.nodes.get(nodeOf(message.to));
        if (to === undefined) throw new Error('the node is down');
        await to.host.receiveSnapshot(group, message, chunks);
      },
      pulse: () => {},
      silence_ms: () => 0,
      isLinked: (node) => this.nodes.has(node),
      addressOf: () => undefined,
    };
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

it('brings a new replica to the same rows, larger than what the store keeps in memory, also over a restart', async () => {
  const pair = new Pair();
  const first = await pair.start(1);
  const group = await first.host.create(1, { replicaId: 1, configuration: makeConfiguration([1]) });
  const value = 'x'.repeat(64 * 1024);
  for (let round = 0; round < 8; round++) {
    await Promise.all(Array.from({ length: 12 }, (_, i) => set(group, `key-${round}-${i}`, value)));
    await first.host.checkpoint();
  }
  await until(() => first.wal.groupState(1).firstIndex > 1);
  let second = await pair.start(2);
  group.changeMembers({
    kind: 'change',
    changes: [{ type: 'add-learner', node: 2 }],
    transition: 'automatic',
  });
  await until(() => group.progress().some(({ replicaId, caughtUp }) => replicaId === 2 && caughtUp));
  expect(pair.snapshots).toBe(1);
  group.changeMembers({ kind: 'change', changes: [{ type: 'add-voter', node: 2 }], transition: 'automatic' });
  await until(() => group.configuration.voters.length === 2);
  await set(group, 'after', 'x');

  await second.close();
  second = await pair.start(2);
  await set(group, 'later', 'x');
  const replica = second.host.group(1)!;
  await until(() => replica.state.appliedIndex === group.state.appliedIndex);
  const rows = (node: Node): string[] => {
    node.host.group(1)!.state.save();
    return [...node.store.range(groupRange(1))].map(
      ({ key, value: bytes }) => `${key} ${Buffer.from(bytes).toString('latin1')}`,
    );
  };
  expect(rows(second)).toEqual(rows(first));
  expect(await get(group, 'key-3-3')).toBeDefined();
  expect(readdirSync(join(pair.folder(2), 'groups'))).toEqual(['replicas']);
  expect(pair.fatal).toEqual([]);
}, 60_000);
