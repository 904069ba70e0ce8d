import { describe, expect, it } from 'vitest';
import { makeConfiguration } from '../raft/index.ts';
import { SimulatedDisk } from '../wal/simulated-disk.ts';
import { ReplicaList } from './replica-list.ts';

const record = (group: number, replicaId: number, voters: readonly number[] = [1, 2, 3]) => ({
  group,
  replicaId,
  configuration: makeConfiguration(voters),
});

describe('the list of replicas', () => {
  it('is what it was after a restart', async () => {
    const disk = new SimulatedDisk();
    const list = new ReplicaList(disk.mount());
    await Promise.all([list.add(record(2, 1)), list.add(record(1, 65_537, [])), list.add(record(7, 1))]);
    await list.bury(7);
    disk.crash();
    const found = new ReplicaList(disk.mount());
    expect(found.all()).toEqual([record(1, 65_537, []), record(2, 1)]);
    expect(found.highest(7)).toBe(1);
    expect([...found.buriedGroups()]).toEqual([7]);
    expect(found.highest(8)).toBe(0);
  });

  it('keeps the highest id of a group that came and went', async () => {
    const disk = new SimulatedDisk();
    const list = new ReplicaList(disk.mount());
    for (const replicaId of [1, 65_537, 131_073]) {
      await list.add(record(1, replicaId));
      await list.bury(1);
    }
    expect(new ReplicaList(disk.mount()).highest(1)).toBe(131_073);
  });

  it('has, after a crash at any moment, at least what was said to be durable and nothing that was not asked for', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const disk = new SimulatedDisk(seed);
      const list = new ReplicaList(disk.mount());
      let durable = 0;
      for (let group = 1; group <= 5; group++) {
        list.add(record(group, group)).then(
          () => {
            durable = Math.max(durable, group);
          },
          () => {}, // the machine stopped before
        );
        for (let turn = 0; turn < (seed * group) % 7; turn++)
          await new Promise((resolve) => setImmediate(resolve));
      }
      const promised = durable;
      disk.crash();
      const groups = new ReplicaList(disk.mount()).all().map(({ group }) => group);
      expect(groups.length).toBeGreaterThanOrEqual(promised);
      expect(groups).toEqual(groups.map((_, i) => i + 1));
    }
  });

  it('is as before when it could not be written, and can be written later', async () => {
    const disk = new SimulatedDisk();
    const list = new ReplicaList(disk.mount());
    await list.add(record(1, 1));
    disk.fail('fdatasync', 0, 'ENOSPC');
    await expect(list.add(record(2, 1))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(list.all()).toEqual([record(1, 1)]);
    disk.fail('fdatasync', 0, 'ENOSPC');
    await expect(list.bury(1)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(list.all()).toEqual([record(1, 1)]);
    await list.bury(1);
    expect(new ReplicaList(disk.mount()).all()).toEqual([]);
  });

  it('is refused when a byte of it is another', async () => {
    const disk = new SimulatedDisk();
    await new ReplicaList(disk.mount()).add(record(1, 1));
    disk.overwrite('replicas', 20, Uint8Array.of(0x21));
    expect(() => new ReplicaList(disk.mount())).toThrow('damaged');
  });

  it('is kept in memory where nothing is kept on disk', async () => {
    const list = new ReplicaList(undefined);
    await list.add(record(1, 1));
    expect(list.get(1)).toEqual(record(1, 1));
    await list.bury(1);
    expect(list.all()).toEqual([]);
  });
});
