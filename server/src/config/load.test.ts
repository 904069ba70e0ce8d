import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configWarnings } from './cross-check.ts';
import { changedSettings, settingsHelp } from './document.ts';
import { configWith, loadConfig } from './load.ts';
import { ConfigError } from './problems.ts';
import { NAMED_SETTINGS } from './schema.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function yaml(content: string): string {
  const path = join(folder, 'gomsg.yaml');
  writeFileSync(path, content);
  return path;
}

function load(args: string[] = [], env: Record<string, string> = {}) {
  return loadConfig({ args, env });
}

/** The problems as `origin: reason`, with the temporary folder left out. */
function problemsOf(args: string[], env: Record<string, string> = {}): string[] {
  try {
    load(args, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ origin, reason }) => `${origin}: ${reason}`.replaceAll(`${folder}/`, ''));
  }
  return [];
}

describe('where a setting comes from', () => {
  const file = () => `--config=${yaml('server:\n  port: 1111\n  host: 10.0.0.1\nlog:\n  level: warn\n')}`;

  it('takes flags before variables before the file before defaults', () => {
    const config = load([file(), '--port=3333'], { GOMSG_PORT: '2222', GOMSG_HOST: '10.0.0.2' });
    expect(config).toMatchObject({ port: 3333, host: '10.0.0.2', logLevel: 'warn', fsync: 'always' });
  });

  it('gives nodes with ids a folder each, unless it is told which', () => {
    expect(load().dataDir).toBe('./data');
    expect(load(['--node-id=node1']).dataDir).toBe('./data-node1');
    expect(load([], { GOMSG_NODE_ID: 'node2' }).dataDir).toBe('./data-node2');
    expect(load(['--node-id=node1'], { GOMSG_DATA_DIR: '/d' }).dataDir).toBe('/d');
  });

  it('finds the file by variable, and a flag overrides that', () => {
    expect(load([], { GOMSG_CONFIG: yaml('server: { port: 1 }') }).port).toBe(1);
    expect(load([file()], { GOMSG_CONFIG: '/nowhere' }).port).toBe(1111);
  });

  it('lets a later flag override an earlier one, and adds up a list', () => {
    const config = load(['--port=1', '--port', '2', '--cluster', '--join=a:1,b:2', '--join', '[::1]:3']);
    expect(config).toMatchObject({ port: 2, join: ['a:1', 'b:2', '[::1]:3'] });
  });

  it('switches booleans on, off, and by value', () => {
    expect(load(['--cluster']).cluster).toBe(true);
    expect(load(['--no-cluster'], { GOMSG_CLUSTER: 'true' }).cluster).toBe(false);
    expect(load(['--cluster=false'], { GOMSG_CLUSTER: 'yes' }).cluster).toBe(false);
  });

  it('counts an empty variable as unset', () => {
    expect(load([], { GOMSG_JOIN: '', GOMSG_PORT: '' })).toMatchObject({ join: [], port: 9000 });
  });

  it('overlooks the variables Kubernetes makes for a Service named gomsg, and those of the client', () => {
    const env = {
      GOMSG_PORT: 'tcp://10.3.0.1:9000',
      GOMSG_SERVICE_HOST: '10.3.0.1',
      GOMSG_SERVICE_PORT_GRPC: '9000',
      GOMSG_PORT_9000_TCP_ADDR: '10.3.0.1',
      GOMSG_SERVER: 'localhost:9000',
    };
    expect(load([], env).port).toBe(9000);
  });

  it('reads a file whose sections are empty or missing', () => {
    expect(load([`--config=${yaml('tls:\nserver: {}\n')}`]).port).toBe(9000);
    expect(load([`--config=${yaml('')}`]).port).toBe(9000);
  });

  it('is frozen, lists included', () => {
    const config = load(['--cluster', '--join=a:1']);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.join)).toBe(true);
    expect(Object.isFrozen(load().join)).toBe(true);
  });
});

describe('values', () => {
  it.each([
    ['--drain-timeout=1m30s', 'drainTimeoutMs', 90_000],
    ['--drain-timeout=1.5s', 'drainTimeoutMs', 1_500],
    ['--drain-timeout=0', 'drainTimeoutMs', 0],
    ['--stream-retention-age=0', 'streamRetentionAgeMs', 0],
    ['--stream-retention-age=30d', 'streamRetentionAgeMs', 30 * 86_400_000],
    ['--overlay-bytes=64MiB', 'overlayBytes', 64 * 2 ** 20],
    ['--overlay-bytes=64mb', 'overlayBytes', 64e6],
    ['--overlay-bytes=1048576', 'overlayBytes', 2 ** 20],
    ['--stream-retention-bytes=0', 'streamRetentionBytes', 0],
    ['--fsync=interval', 'fsync', 'interval'],
    ['--node-id=node1', 'nodeId', 'node1'],
  ] as const)('reads %s', (flag, field, value) => {
    expect(load([flag])[field]).toBe(value);
  });

  it.each([
    '--port=65536',
    '--port=-1',
    '--port=9000.5',
    '--port=0x10',
    '--drain-timeout=30',
    '--drain-timeout=1y',
    '--drain-timeout=11m',
    '--overlay-bytes=4M',
    '--overlay-bytes=1KiB',
    '--overlay-bytes=-1',
    '--node-id=-a',
    '--node-id=a b',
    '--advertise=nohost',
    '--advertise=a:0',
    '--advertise=a:65536',
    '--cluster=maybe',
  ])('refuses %s', (flag) => {
    expect(problemsOf([flag])).toEqual([expect.stringContaining(`flag ${flag}: expected `)]);
  });

  it('writes every default in a form it reads back', () => {
    for (const { setting, flag } of NAMED_SETTINGS) {
      if (setting.default === undefined) continue;
      expect(setting.kind.parse(setting.kind.format(setting.default)), flag).toEqual(setting.default);
    }
  });

  it('names units: durations end in Ms, sizes in Bytes', () => {
    for (const { field, setting } of NAMED_SETTINGS) {
      if (setting.kind.measure === 'ms') expect(field).toMatch(/Ms$/);
      if (setting.kind.measure === 'bytes') expect(field).toMatch(/Bytes(PerClient|PerSecond)?$/);
    }
  });
});

describe('problems', () => {
  it('lists all of them at once, each with its origin and what was probably meant', () => {
    const path = yaml(
      [
        'server:',
        '  prot: 1',
        'limts:',
        '  x: 1',
        'limits:',
        '  max_value_bytes: 4MiB',
        '  max-message-bytes: 4M',
        'port: 9000',
        'log:',
        '  level: warning',
      ].join('\n'),
    );
    const problems = problemsOf([`--config=${path}`, '--data=x', '--port'], {
      GOMSG_FSYNCINTERVAL: '3',
      GOMSG_HOST: 'a b',
    });
    expect(problems).toEqual([
      'flag --data: no such setting; did you mean --data-dir?',
      'flag --port: needs a value: --port=NUMBER',
      'variable GOMSG_FSYNCINTERVAL: no such setting; did you mean GOMSG_FSYNC_INTERVAL?',
      'gomsg.yaml:2:3 server.prot: no such setting; did you mean server.port?',
      'gomsg.yaml:3:1 limts: no such section; did you mean limits?',
      'gomsg.yaml:6:3 limits.max_value_bytes: no such setting; did you mean limits.max-value-bytes?',
      'gomsg.yaml:8:1 port: no such section; did you mean server.port?',
      'gomsg.yaml:7:22 limits.max-message-bytes=4M: expected a size from 1KiB to 15MiB, in bytes or with a unit, such as 64MiB or 64MB',
      'gomsg.yaml:10:10 log.level=warning: expected one of fatal, error, warn, info, debug, trace, silent; did you mean warn?',
      'variable GOMSG_HOST=a b: expected a host name or IP address',
    ]);
  });

  it('suggests nothing when nothing is near', () => {
    expect(problemsOf(['--frobnicate=1'])).toEqual(['flag --frobnicate: no such setting']);
  });

  it('takes the value of an unknown flag as part of the same mistake', () => {
    expect(problemsOf(['--prot', '9000'])).toEqual(['flag --prot: no such setting; did you mean --port?']);
  });

  it.each([
    ['server: [1]', 'gomsg.yaml:1:9 server: expected the settings of this section, indented below it'],
    ['- 1', 'gomsg.yaml:1:1: expected sections: server, tls'],
    ['server:\n  port:\n', 'server.port: has no value'],
    ['server:\n  port: [1]', 'gomsg.yaml:2:9 server.port: expected a whole number'],
    ['server:\n  port: 1\n  port: 2', 'gomsg.yaml:3:3: Map keys must be unique'],
    ['server: {', 'gomsg.yaml:1:'],
  ])('names the line of bad YAML: %j', (content, problem) => {
    expect(problemsOf([`--config=${yaml(content)}`])[0]).toContain(problem);
  });

  it('names a file that cannot be read', () => {
    expect(problemsOf([`--config=${folder}/missing.yaml`])[0]).toMatch(
      /^missing.yaml: cannot be read: ENOENT/,
    );
    expect(problemsOf(['--config'])).toEqual(['flag --config: needs a value: --config=FILE']);
  });

  it('never prints a secret', () => {
    const secret = 'hunter2';
    const file = `--config=${yaml(`cluster: { secret: ${secret} }`)}`;
    const problems = problemsOf([file, `--cluster-secret=${secret}`], { GOMSG_CLUSTER_SECRET: secret });
    expect(problems).toHaveLength(3);
    expect(problems.join()).not.toContain(secret);
  });

  it.each([
    [['--tls-cert=a'], '--tls-key'],
    [['--tls-key=a'], '--tls-cert'],
    [['--tls-ca=a'], '--tls-cert'],
    [['--join=a:1'], 'add --cluster'],
    [['--bootstrap'], 'add --cluster'],
    [['--max-value-bytes=16MiB'], '--max-value-bytes'],
    [['--max-in-flight-bytes-per-client=8MiB'], '--max-frame-bytes'],
    [['--max-in-flight-bytes=32MiB'], '--max-in-flight-bytes-per-client'],
    [['--wal-segment-bytes=8MiB'], '--max-frame-bytes'],
    [['--overlay-bytes=1GiB', '--lmdb-map-bytes=1GiB'], '--overlay-bytes'],
    [['--keepalive-timeout=1m'], '--keepalive-interval'],
  ])('refuses settings that contradict each other: %j', (args, reason) => {
    expect(problemsOf(args)).toEqual([expect.stringContaining(reason)]);
    expect(problemsOf(args)[0]).toMatch(/^(flag|setting) --/);
  });
});

describe('for people', () => {
  it('names every flag with its default in the help', () => {
    const help = settingsHelp();
    for (const { flag } of NAMED_SETTINGS) expect(help).toContain(`  --${flag}`);
    expect(help).toContain('Default: 64MiB.');
    expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('tells which settings were changed, and hides secrets', () => {
    const config = load([
      '--port=1',
      '--fsync=always',
      '--cluster',
      '--cluster-secret=0123456789abcdef',
      '--data-dir=/d',
    ]);
    expect(changedSettings(config)).toEqual({
      'server.port': '1',
      'cluster.enabled': 'true',
      'cluster.secret': '(hidden)',
      'storage.data-dir': '/d',
    });
  });

  it('warns of an open port and of relaxed durability, and not of the defaults', () => {
    expect(configWarnings(configWith({}))).toEqual([]);
    expect(configWarnings(configWith({ host: '0.0.0.0' }))[0]).toContain('0.0.0.0');
    expect(configWarnings(configWith({ fsync: 'interval' }))[0]).toContain('10 ms');
    expect(configWarnings(configWith({ storage: 'memory', fsync: 'interval' }))).toHaveLength(1);
  });

  it('checks the settings of an embedded node too', () => {
    expect(configWith({ port: 0 }).port).toBe(0);
    expect(() => configWith({ tlsCert: 'a' })).toThrow(ConfigError);
  });
});
