/** The works of the growth notice what is not as they were told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, connect } from '@gomsg/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ServerProcess } from '../../load/server-process.ts';
import { Counters } from './counters.ts';
import { Meter, type Work } from './load.ts';
import { Queues } from './queues.ts';
import { Streams } from './streams.ts';

let folder: string;
let server: ServerProcess;
let client: Client;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-bench-test-'));
  server = await ServerProcess.start({
    dataDir: folder,
    fsync: 'interval',
    server: 'source',
    profile: false,
  });
  client = connect(server.address);
});

afterEach(async () => {
  await client?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Fills, and lets every lane have some answers. */
async function atWork(work: Work): Promise<void> {
  await work.fill(client);
  const stop = new AbortController();
  const meter = new Meter();
  const lanes = Promise.all(work.lanes(client, stop.signal, meter));
  while (meter.answered < 200) await client.kv.exists('a turn');
  stop.abort();
  await lanes;
}

test('increments and keys', { timeout: 60_000 }, async () => {
  const counters = new Counters(30);
  await atWork(counters);
  expect(await counters.verify(client)).toMatchObject({ wrong: [] });
  await client.kv.del('data:7');
  await client.kv.incr('count:3');
  await client.kv.decr('count:4');
  expect((await counters.verify(client)).wrong).toEqual([
    expect.stringMatching(/^data:7 is null/),
    expect.stringMatching(/^count:3 is /),
    expect.stringMatching(/^count:4 is /),
  ]);
});

test('messages of queues', { timeout: 60_000 }, async () => {
  const queues = new Queues(30);
  await atWork(queues);
  const lost = (await client.queue.pop('backlog-0'))!;
  await lost.ack();
  await client.queue.push('work-0', 'work-0.0');
  await client.queue.push('work-1', 'of somebody else');
  expect((await queues.verify(client)).wrong.toSorted()).toEqual([
    `${lost.data} never came out`,
    'of somebody else came out, and nobody pushed it',
    'work-0.0 came out after it had been settled',
  ]);
});

test('messages of topics', { timeout: 60_000 }, async () => {
  const streams = new Streams(30);
  await atWork(streams);
  expect(await streams.verify(client)).toMatchObject({ wrong: [] });
  await client.stream.publish('topic-0', 'topic-0.0');
  // Before the other findings, of which only the first are told in full.
  await client.stream.delete('topic-1');
  await client.stream.create('topic-1');
  const { wrong } = await streams.verify(client);
  expect(wrong).toContain('topic-0.0 is there twice');
  expect(wrong).toContain('topic-1.0 was answered and is not there');
});
