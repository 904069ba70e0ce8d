/** Every command against a real server: what it writes, and how it ends. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExitCode } from './exit-codes.ts';
import { type CommandOptions, jsonLines, runCommand } from './testing/run-command.ts';
import { ServerProcess } from './testing/server-process.ts';
import { until } from './testing/until.ts';

let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.start({ storage: 'memory' });
});
afterAll(() => server?.remove());

function gomsg(line: string | readonly string[], options: CommandOptions = {}) {
  return runCommand(line, { server: server.address, ...options });
}

/** Standard output of a command that must succeed. */
async function out(line: string | readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await gomsg(line, options);
  if (result.exitCode !== ExitCode.done) throw new Error(`${line}: exit ${result.exitCode}: ${result.err}`);
  return result.out;
}

describe('kv', () => {
  it('sets and gets', async () => {
    expect(await out('kv set name alice')).toBe('OK\n');
    expect(await out('kv get name')).toBe('alice');
    expect(await out('kv get name', { terminal: true })).toBe('alice\n');
    expect(await out('kv get name -o json')).toMatch(/^\{"value":"alice","version":\d+\}\n$/);
  });

  it('takes values from standard input and files, and gives their exact bytes back', async () => {
    const bytes = Uint8Array.of(0, 255, 10, 13, 27);
    await out('kv set bytes -', { stdin: bytes });
    expect((await gomsg('kv get bytes')).outBytes).toEqual(Buffer.from(bytes));
    const file = join(server.folder, 'value');
    writeFileSync(file, bytes);
    await out(['kv', 'set', 'from-file', '--file', file]);
    expect((await gomsg('kv get from-file')).outBytes).toEqual(Buffer.from(bytes));
    expect(jsonLines(await gomsg('kv get bytes -o json'))).toEqual([
      { valueBase64: 'AP8KDRs=', version: expect.any(Number) },
    ]);
    expect(await out('kv get bytes', { terminal: true })).toContain('not text');
  });

  it('exits 1 and says what to do when a key is missing', async () => {
    const missing = await gomsg('kv get missing');
    expect(missing).toMatchObject({ exitCode: ExitCode.no, out: '' });
    expect(missing.err).toBe(
      'gomsg: key "missing" does not exist\nSet the key first, or treat the absence as an answer.\n',
    );
    expect(await gomsg('kv exists missing')).toMatchObject({ exitCode: ExitCode.no, out: 'false\n' });
    const asJson = await gomsg('kv get missing', { env: { GOMSG_OUTPUT: 'json' } });
    expect(JSON.parse(asJson.err)).toMatchObject({ error: { reason: 'KEY_NOT_FOUND', exitCode: 1 } });
  });

  it('exits 1 when a condition does not hold', async () => {
    await out('kv set lock me');
    expect(await gomsg('kv set lock you --if-absent')).toMatchObject({ exitCode: ExitCode.no });
    expect(await gomsg('kv set nobody x --if-present')).toMatchObject({ exitCode: ExitCode.no });
    expect(await gomsg('kv set lock you --if-version 1000000')).toMatchObject({ exitCode: ExitCode.no });
    expect(await out('kv get lock')).toBe('me');
    expect(await out('kv set lock you --if-present --return-previous')).toBe('me\n');
  });

  it('counts', async () => {
    expect(await out('kv incr hits')).toBe('1\n');
    expect(await out('kv incr hits 10')).toBe('11\n');
    expect(await out('kv decr hits 12')).toBe('-1\n');
    await out('kv set word abc');
    expect(await gomsg('kv incr word')).toMatchObject({ exitCode: ExitCode.failed });
  });

  it('reads and writes many keys', async () => {
    expect(await out('kv mset many:a 1 many:b 2')).toBe('OK\n');
    expect(await out('kv mget many:a many:none many:b')).toBe('many:a\t1\nmany:b\t2\n');
    expect(jsonLines(await gomsg('kv mget many:none many:a -o json')).map(({ found }) => found)).toEqual([
      false,
      true,
    ]);
    expect(await gomsg('kv mset many:a')).toMatchObject({ exitCode: ExitCode.usage });
    expect(await out('kv keys many:*')).toBe('many:a\nmany:b\n');
    expect(await out('kv scan many: --page-size 1')).toBe('many:a\t1\nmany:b\t2\n');
    expect(await out('kv scan many: --reverse -n 1 --keys-only')).toBe('many:b\n');
    expect(jsonLines(await gomsg('kv scan many: --keys-only -o json'))[0]).not.toHaveProperty('value');
    expect(await out('kv del many:a many:none')).toBe('1\n');
    expect(await out('kv del-pattern many:*')).toBe('1\n');
    expect(await gomsg('kv del many:a')).toMatchObject({ exitCode: ExitCode.no, out: '0\n' });
  });

  it('sets, shows and takes off expiries', async () => {
    await out('kv set brief x --ttl 1h');
    expect(await out('kv ttl brief')).toMatch(/^59m \d+s\n$/);
    await out('kv expire brief 30m');
    expect(await out('kv ttl brief')).toMatch(/^29m \d+s\n$/);
    expect(await out('kv persist brief')).toBe('OK\n');
    expect(await gomsg('kv persist brief')).toMatchObject({ exitCode: ExitCode.no });
    expect(await out('kv ttl brief')).toBe('does not expire\n');
  });

  it('watches changes, also from a token on', async () => {
    await out('kv set watched:first 0');
    const from = jsonLines(await gomsg('kv get watched:first -o json'))[0]!.version as number;
    await out('kv set watched:a 1');
    await out('kv del watched:a');
    const watched = await gomsg(`kv watch --prefix watched: --from-revision ${from} -n 3`);
    expect(watched.out).toBe('set\twatched:first\t0\nset\twatched:a\t1\ndelete\twatched:a\n');
    const events = jsonLines(await gomsg(`kv watch --prefix watched: --from-revision ${from} -n 3 -o json`));
    expect(events[2]).toEqual({
      type: 'WATCH_EVENT_TYPE_DELETE',
      key: 'watched:a',
      revision: expect.any(Number),
      resumeToken: expect.any(String),
    });
    await out('kv set watched:b 2');
    const later = await gomsg([
      'kv',
      'watch',
      '--prefix',
      'watched:',
      '--resume-token',
      String(events[2]!.resumeToken),
      '-n',
      '1',
    ]);
    expect(later.out).toBe('set\twatched:b\t2\n');
  });
});

describe('queue', () => {
  it('pushes and pops, in order, once', async () => {
    expect(await out(['queue', 'push', 'jobs', 'backup database'])).toMatch(/^jobs#\d+\n$/);
    expect(await out('queue push-batch jobs two three')).toMatch(/^jobs#\d+\njobs#\d+\n$/);
    expect(await out('queue pop jobs')).toBe('backup database');
    expect(await out('queue pop jobs -n 5')).toBe('two\nthree\n');
    expect(await gomsg('queue pop jobs')).toMatchObject({ exitCode: ExitCode.no, out: '' });
    const [stats] = jsonLines(await gomsg('queue stats jobs -o json'));
    expect(stats).toMatchObject({ ready: 0, inFlight: 0, pushedTotal: 3, ackedTotal: 3 });
  });

  it('leaves settling to others with --no-ack', async () => {
    await out('queue push leased job');
    const popped = await out('queue pop leased --no-ack');
    const [id, payload] = popped.trimEnd().split('\t');
    expect([id, payload]).toEqual([expect.stringMatching(/^leased#\d+\.1$/), 'job']);
    expect(await out(`queue extend ${id} --lease 1h`)).toMatch(/^lease ends in (1h|59m)/);
    expect(await out(`queue nack ${id}`)).toBe('ready\n');
    expect(await gomsg(`queue ack ${id}`)).toMatchObject({ exitCode: ExitCode.no });
    const again = (await out('queue pop leased --no-ack')).split('\t')[0]!;
    expect(await out(`queue ack ${again}`)).toBe('OK\n');
  });

  it('waits for a message, and no longer than it is told to', async () => {
    const popping = gomsg('queue pop later --wait 20s');
    await until('somebody waits', async () => {
      const stats = jsonLines(await gomsg('queue list later -o json'))[0];
      return stats?.consumers === 1 || undefined;
    });
    await out('queue push later now');
    expect(await popping).toMatchObject({ exitCode: ExitCode.done, out: 'now' });
    expect(await gomsg('queue pop later --wait 10ms')).toMatchObject({ exitCode: ExitCode.no });
  });

  it('consumes until it has enough, and acknowledges what it wrote', async () => {
    await out('queue push-batch stream-of-jobs a b c');
    expect(await out('queue consume stream-of-jobs -n 2')).toBe('a\nb\n');
    const [stats] = jsonLines(await gomsg('queue stats stream-of-jobs -o json'));
    expect(stats).toMatchObject({ ackedTotal: 2, ready: 1 });
  });

  it('shows dead messages with why they died, and redrives them', async () => {
    await out('queue push frail job');
    const id = (await out('queue pop frail --no-ack')).split('\t')[0]!;
    expect(await out(['queue', 'nack', id, '--dead-letter', '--error', 'no such host'])).toBe('dead\n');
    expect(await out('queue peek frail --state dead')).toContain('no such host');
    expect(await gomsg('queue peek frail')).toMatchObject({ exitCode: ExitCode.no });
    expect(await out('queue redrive frail')).toBe('1\n');
    expect(await out('queue purge frail')).toBe('1\n');
    expect(await out('queue delete frail')).toBe('OK\n');
    expect(await gomsg('queue delete frail')).toMatchObject({ exitCode: ExitCode.no });
  });

  it('creates with settings and changes them', async () => {
    expect(await out('queue create set-up --lease 5m --max-deliveries 5')).toMatch(
      /lease +5m\nmax deliveries +5\n/,
    );
    expect(await gomsg('queue create set-up')).toMatchObject({ exitCode: ExitCode.no });
    const [settings] = jsonLines(
      await gomsg('queue configure set-up --max-bytes 1KiB --dedup-window 0 -o json'),
    );
    expect(settings).toMatchObject({ lease: '300s', maxDeliveries: 5, maxBytes: 1024, dedupWindow: '0s' });
    expect(await out('queue list set-')).toMatch(/^QUEUE .*\nset-up /);
  });

  it('takes priorities, delays, headers and dedup ids', async () => {
    await out('queue push rich low');
    await out('queue push rich high --priority 9 --headers a=1 --headers b=x=y');
    await out('queue push rich hidden --delay 1h');
    await out('queue push rich once --dedup-id 1');
    expect(jsonLines(await gomsg('queue push rich twice --dedup-id 1 -o json'))[0]).toMatchObject({
      deduplicated: true,
    });
    const popped = jsonLines(await gomsg('queue pop rich -n 10 -o json'));
    expect(popped.map(({ payload }) => payload)).toEqual(['high', 'low', 'once']);
    expect(popped[0]).toMatchObject({ headers: { a: '1', b: 'x=y' }, priority: 9 });
    expect(await out('queue peek rich --state delayed')).toMatch(/in 59m \d+s/);
  });
});

describe('stream', () => {
  it('publishes, reads and subscribes', async () => {
    expect(await out(['stream', 'publish', 'events', 'user signup'])).toBe('events#0.0\n');
    expect(await out('stream publish-batch events a b --key k')).toBe('events#0.1\nevents#0.2\n');
    expect(await out('stream subscribe events --from start -n 3')).toBe('user signup\na\nb\n');
    expect(await out('stream read events 1 -n 1')).toBe('a\n');
    expect(await out('stream read events --page-size 1')).toBe('user signup\na\nb\n');
    expect(await out('stream read-from events 1h --page-size 2')).toBe('user signup\na\nb\n');
    expect(await out('stream read events 1 -n 1 --meta')).toMatch(/^events#0\.1\t\d{4}-.*Z\tk\ta\n$/);
    expect(jsonLines(await gomsg('stream read events -o json'))[1]).toMatchObject({
      topic: 'events',
      partition: 0,
      offset: 1,
      key: 'k',
      payload: 'a',
    });
  });

  it('exits 1 when the offset is not the expected one', async () => {
    await out('stream publish strict a --expected-offset 0');
    expect(await gomsg('stream publish strict b --expected-offset 0')).toMatchObject({
      exitCode: ExitCode.no,
    });
  });

  it('ends a subscription cleanly when it is interrupted', async () => {
    await out('stream publish live first');
    const interruption = new AbortController();
    const subscribed = gomsg('stream subscribe live --from start --consumer c', {
      signal: interruption.signal,
    });
    await until('the message is acknowledged', async () => {
      const { exitCode, out } = await gomsg('stream offset live c');
      return (exitCode === ExitCode.done && out.startsWith('1 ')) || undefined;
    });
    interruption.abort();
    expect(await subscribed).toMatchObject({ exitCode: ExitCode.done, out: 'first\n', err: '' });
  });

  it('keeps the places of consumers and groups', async () => {
    await out('stream create placed --partitions 2');
    await out('stream publish-batch placed a b c --partition 1');
    expect(await out('stream subscribe placed --group g -n 2')).toBe('a\nb\n');
    expect(await out('stream offset placed g -p 1')).toBe('2 (1 behind)\n');
    expect(await out('stream subscribe placed --group g -n 1 --no-ack')).toBe('c\n');
    expect(await out('stream ack placed g 2 -p 1')).toBe('g goes on at offset 3\n');
    expect(await out('stream seek placed g start')).toBe('placed#0.0\nplaced#1.0\n');
    expect(await out('stream info placed')).toMatch(/g +group +0 +0:0 1:0 +3/);
  });

  it('creates, lists, purges and deletes', async () => {
    expect(await out('stream create kept --retention-age 0 --retention-bytes 1GiB')).toMatch(
      /retention age +for ever/,
    );
    expect(await out('stream configure kept --partitions 3')).toMatch(/partitions +3/);
    expect(await gomsg('stream configure kept --partitions 1')).toMatchObject({ exitCode: ExitCode.failed });
    await out('stream publish-batch kept a b --partition 2');
    expect(await out('stream purge kept -p 2')).toBe('2\n');
    expect(await out('stream list kept')).toMatch(/^TOPIC .*\nkept +3/);
    expect(await out('stream delete kept')).toBe('OK\n');
    expect(await gomsg('stream info kept')).toMatchObject({ exitCode: ExitCode.no });
  });
});

describe('cluster', () => {
  it('describes one node as a cluster of one', async () => {
    const [node] = jsonLines(await gomsg('cluster nodes -o json'));
    expect(node).toMatchObject({ state: 'NODE_STATE_UP', leader: true });
    expect(await out('cluster leader')).toContain(String(node!.nodeId));
    expect(await out('cluster status')).toMatch(/^state +healthy\n/);
    expect(await out('cluster health')).toMatch(/is healthy\n/);
    expect(await gomsg('cluster health nobody')).toMatchObject({ exitCode: ExitCode.no });
    expect(await out('cluster topology')).toContain('0-16383');
    expect(await out('cluster stats')).toMatch(/^keys +\d/m);
    expect((await out('cluster watch-stats -i 100ms -n 2')).split('\n')).toHaveLength(4);
  });

  it('says that a lone node takes no others', async () => {
    const joined = await gomsg('cluster join node2 localhost:9001');
    expect(joined.exitCode).toBe(ExitCode.failed);
    expect(joined.err).toContain('--cluster');
    expect(await gomsg('cluster leave node2')).toMatchObject({ exitCode: ExitCode.no });
  });
});
