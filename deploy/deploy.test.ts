import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { type Copy, DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../server/src/config/load.ts';
import { NAMED_SETTINGS } from '../server/src/config/schema.ts';
import { assemblePackages, NATIVE_PACKAGES, packageClosure } from './assemble.ts';

const here = import.meta.dirname;
const root = join(here, '..');
const read = (...path: string[]): string => readFileSync(join(here, ...path), 'utf8');

interface Service {
  readonly image: string;
  readonly ports: readonly string[];
  readonly command?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly hostname?: string;
  readonly volumes: readonly string[];
  readonly stop_grace_period: string;
  readonly healthcheck?: unknown;
  readonly build?: { readonly context: string; readonly dockerfile: string };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** With merge keys and anchors, as Compose reads it. */
const composeFile = (name: string): Compose => parse(read(name), { merge: true });

/** The variables as Compose sets them when it finds a secret outside. */
function withSecret(environment: Service['environment'] = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(/^\$\{GOMSG_CLUSTER_SECRET:\?.+\}$/, '0123456789abcdef'),
    ]),
  );
}

/** The specification's own schema, as the Compose linter carries it. */
function composeSchema(): Record<string, unknown> {
  const linter = createRequire(import.meta.url).resolve('dclint/package.json');
  const schema = JSON.parse(readFileSync(join(dirname(linter), 'schemas/compose.schema.json'), 'utf8'));
  return { ...schema, $schema: 'http://json-schema.org/draft-07/schema#' };
}

const dockerfile = DockerfileParser.parse(read('Dockerfile'));
/** What a container gets from its image. */
const imageEnvironment = Object.fromEntries(
  dockerfile.getENVs().flatMap((env) => env.getProperties().map((p) => [p.getName(), p.getValue() ?? ''])),
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-deploy-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('Compose files', () => {
  const isCompose = new Ajv({ strict: false, validateFormats: false }).compile(composeSchema());

  it.each(['docker-compose.yml', 'docker-compose.cluster.yml'])(
    '%s is of the Compose specification',
    (name) => {
      isCompose(composeFile(name));
      expect(isCompose.errors ?? []).toEqual([]);
    },
  );

  it('the schema refuses what is not', () => {
    expect(isCompose({ services: { gomsg: { image: 'gomsg/gomsg', prots: ['9000:9000'] } } })).toBe(false);
  });

  it('the cluster has the three nodes, ports and commands of the project readme', () => {
    const { services } = composeFile('docker-compose.cluster.yml');
    expect(
      Object.entries(services).map(([name, { image, ports, command }]) => [name, image, ports, command]),
    ).toEqual([
      ['gomsg-1', 'gomsg/gomsg', ['9000:9000'], '--cluster --node-id=node1 --port=9000 --bootstrap'],
      ['gomsg-2', 'gomsg/gomsg', ['9001:9001'], '--cluster --node-id=node2 --port=9001 --join=gomsg-1:9000'],
      ['gomsg-3', 'gomsg/gomsg', ['9002:9002'], '--cluster --node-id=node3 --port=9002 --join=gomsg-1:9000'],
    ]);
  });

  it.each(['docker-compose.yml', 'docker-compose.cluster.yml'])(
    '%s: the server takes each command, listens on the published port, and keeps its data on a volume',
    (name) => {
      const { services, volumes } = composeFile(name);
      const mounted: string[] = [];
      for (const [host, service] of Object.entries(services)) {
        const config = loadConfig({
          args: service.command?.split(' ') ?? [],
          env: { ...imageEnvironment, ...withSecret(service.environment) },
        });
        expect(service.ports.map((port) => port.split(':').slice(-2))).toEqual([
          [String(config.port), String(config.port)],
        ]);
        expect(config.host).toBe('0.0.0.0');
        if (config.cluster) expect(service.hostname).toBe(host);
        expect(Number.parseInt(service.stop_grace_period, 10) * 1000).toBeGreaterThan(config.drainTimeoutMs);
        const [volume, path] = service.volumes[0]!.split(':');
        expect(path).toBe(config.dataDir);
        mounted.push(volume!);
      }
      expect(mounted).toEqual(Object.keys(volumes));
    },
  );

  it('the cluster secret comes from outside, and must', () => {
    for (const { environment } of Object.values(composeFile('docker-compose.cluster.yml').services)) {
      expect(environment?.GOMSG_CLUSTER_SECRET).toMatch(/^\$\{GOMSG_CLUSTER_SECRET:\?.+\}$/);
    }
  });

  it('both build the image from the same Dockerfile', () => {
    for (const name of ['docker-compose.yml', 'docker-compose.cluster.yml']) {
      const builds = Object.values(composeFile(name).services).flatMap(({ build }) => build ?? []);
      expect(builds).toEqual([{ context: '..', dockerfile: 'deploy/Dockerfile' }]);
    }
  });
});

describe('Dockerfile', () => {
  const instructions = dockerfile.getInstructions();
  const last = (keyword: string) => instructions.findLast((each) => each.getKeyword() === keyword);

  it('has nothing a linter complains of', () => {
    expect(validate(read('Dockerfile')).map(({ message }) => message)).toEqual([]);
  });

  it('copies only what the repository or an earlier stage has', () => {
    const stages = dockerfile.getFROMs().flatMap((from) => from.getBuildStage() ?? []);
    for (const copy of dockerfile.getCOPYs() as Copy[]) {
      const from = copy
        .getFlags()
        .find((flag) => flag.getName() === 'from')
        ?.getValue();
      const [source] = copy.getArguments().map((argument) => argument.getValue());
      if (from === undefined) expect(existsSync(join(root, source!))).toBe(true);
      else expect(stages).toContain(from);
    }
  });

  it('leaves out of the build nothing that it uses', () => {
    const ignored = read('Dockerfile.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const { workspaces, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(scripts.build).toContain('scripts/build.ts');
    for (const path of ['package-lock.json', 'bin', 'scripts', 'server', 'cli', 'deploy', ...workspaces]) {
      expect(ignored).not.toContain(path);
    }
  });

  it('ends as a numbered user that is not root, with a port, a volume and a health check', () => {
    expect(last('USER')?.getArgumentsContent()).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(last('EXPOSE')?.getArgumentsContent()).toBe('9000');
    expect(last('VOLUME')?.getArgumentsContent()).toBe(imageEnvironment.GOMSG_DATA_DIR);
    expect(last('HEALTHCHECK')?.getArgumentsContent()).toContain('["/opt/gomsg/bin/healthcheck"]');
  });

  it('takes the arguments of a container for those of gomsg', () => {
    expect(last('ENTRYPOINT')?.getArgumentsContent()).toBe('["gomsg"]');
    expect(last('CMD')).toBeUndefined();
  });

  it('sets nothing that gomsg does not know', () => {
    const gomsg = Object.keys(imageEnvironment).filter((name) => name.startsWith('GOMSG_'));
    expect(gomsg).not.toEqual([]);
    expect(NAMED_SETTINGS.map(({ variable }) => variable)).toEqual(expect.arrayContaining(gomsg));
  });
});

describe('runtime tree', () => {
  it('has the packages that the build leaves out of the bundle', () => {
    const external = /external: \[([^\]]*)\]/.exec(readFileSync(join(root, 'scripts/build.ts'), 'utf8'))?.[1];
    expect(external?.match(/[^', ]+/g)).toEqual(NATIVE_PACKAGES);
    expect(packageClosure(NATIVE_PACKAGES)).toEqual(
      expect.arrayContaining(['lmdb', 'msgpackr', '@node-rs/crc32']),
    );
  });

  it('loads them without anything else', () => {
    assemblePackages(join(folder, 'node_modules'));
    const program = join(folder, 'load.mjs');
    writeFileSync(
      program,
      `import { open } from 'lmdb'; import { crc32c } from '@node-rs/crc32';
       const store = open({ path: process.argv[2] }); await store.put('a', 1);
       console.log(store.get('a'), crc32c('123456789').toString(16)); await store.close();`,
    );
    const { stdout, stderr } = spawnSync(process.execPath, [program, join(folder, 'data')], {
      encoding: 'utf8',
    });
    expect({ stdout, stderr }).toEqual({ stdout: '1 e3069283\n', stderr: '' });
  });

  it('says which package is missing', () => {
    expect(() => packageClosure(['no-such-package'])).toThrow('needs no-such-package');
  });
});

/** Runs a script with a gomsg that writes what it was called with, and fails for the subcommands in `failing`. */
function runScript(script: string, env: Record<string, string>, failing: readonly string[] = []) {
  const gomsg = join(folder, 'gomsg');
  const refusals = failing.map((command) => `case "$*" in ${command}*) exit 3;; esac`).join('\n');
  writeFileSync(gomsg, `#!/bin/sh\necho "$*" >> ${join(folder, 'calls')}\n${refusals}\n`);
  chmodSync(gomsg, 0o755);
  const { status, stderr } = spawnSync('/bin/sh', [join(here, script)], {
    encoding: 'utf8',
    env: { PATH: `${folder}:/usr/bin:/bin`, ...env },
  });
  const calls = existsSync(join(folder, 'calls'))
    ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')
    : [];
  return { status, stderr, calls };
}

describe('health check', () => {
  const asked = (commandLine: string, env: Record<string, string> = {}): string | undefined => {
    const file = join(folder, 'cmdline');
    writeFileSync(file, commandLine.split(' ').join('\0'));
    return runScript('healthcheck.sh', { GOMSG_COMMAND_LINE: file, ...env }).calls.at(-1);
  };

  it('asks at the port that the command names', () => {
    expect(asked('node gomsg.js --cluster --port=9001 --join=gomsg-1:9000')).toContain(
      '--server localhost:9001 ',
    );
    expect(asked('node gomsg.js --port 9002 --cluster')).toContain('--server localhost:9002 ');
  });

  it('asks at the port of the environment, or else at the usual one', () => {
    expect(asked('node gomsg.js', { GOMSG_PORT: '9003' })).toContain('--server localhost:9003 ');
    expect(asked('node gomsg.js')).toContain('--server localhost:9000 ');
    expect(asked('node gomsg.js --port=1', { GOMSG_SERVER: 'other:7' })).toContain('--server other:7 ');
  });

  it('fails as Docker knows it', () => {
    writeFileSync(join(folder, 'cmdline'), '');
    const { status } = runScript('healthcheck.sh', { GOMSG_COMMAND_LINE: join(folder, 'cmdline') }, [
      'cluster health',
    ]);
    expect(status).toBe(1);
  });
});

describe('start of a pod', () => {
  const pod = (ordinal: number, env: Record<string, string> = {}) => ({
    POD_NAME: `bus-${ordinal}`,
    STATEFUL_SET: 'bus',
    PEER_DOMAIN: 'bus-nodes.prod.svc.cluster.local',
    REPLICAS: '3',
    BOOTSTRAP: 'true',
    GOMSG_DATA_DIR: folder,
    ...env,
  });
  const script = 'kubernetes/files/start.sh';
  const others = (...ordinals: number[]) =>
    `--join=${ordinals.map((each) => `bus-${each}.bus-nodes.prod.svc.cluster.local:9000`).join(',')}`;

  it('pod 0 founds the cluster when nobody answers as a member', () => {
    const { calls } = runScript(script, pod(0), ['cluster nodes']);
    expect(calls.at(-1)).toBe(
      '--cluster --node-id=bus-0 --port=9000 --advertise=bus-0.bus-nodes.prod.svc.cluster.local:9000 --bootstrap',
    );
  });

  it('pod 0 without its data joins the cluster that is there', () => {
    expect(runScript(script, pod(0)).calls.at(-1)).toContain(others(1, 2));
  });

  it('pod 0 with its data asks nobody', () => {
    writeFileSync(join(folder, 'node.json'), '{}');
    expect(runScript(script, pod(0)).calls).toEqual([expect.stringContaining('--bootstrap')]);
  });

  it('pod 0 that may not found a cluster joins', () => {
    expect(runScript(script, pod(0, { BOOTSTRAP: 'false' }), ['cluster nodes']).calls.at(-1)).toContain(
      others(1, 2),
    );
  });

  it('another pod joins', () => {
    expect(runScript(script, pod(2)).calls).toEqual([expect.stringContaining(others(0, 1))]);
  });

  it('a pod goes by the node id that the values give it', () => {
    const { calls } = runScript(script, pod(2, { NODE_IDS: 'bus-1=x bus-2=bus-2b ' }));
    expect(calls.at(-1)).toContain('--node-id=bus-2b ');
  });

  it('the server takes what the script starts it with', () => {
    for (const ordinal of [0, 1]) {
      const { calls } = runScript(script, pod(ordinal), ['cluster nodes']);
      const env = { GOMSG_CLUSTER_SECRET: '0123456789abcdef' };
      expect(loadConfig({ args: calls.at(-1)!.split(' '), env })).toMatchObject({
        nodeId: `bus-${ordinal}`,
        cluster: true,
        bootstrap: ordinal === 0,
      });
    }
  });

  it('says what is missing', () => {
    expect(runScript(script, {}).stderr).toContain('POD_NAME');
  });
});

describe('chart', () => {
  const templates = readdirSync(join(here, 'kubernetes/templates'));

  it('has values of its schema', () => {
    const isValues = new Ajv({ strict: false }).compile(JSON.parse(read('kubernetes/values.schema.json')));
    isValues(parse(read('kubernetes/values.yaml')));
    expect(isValues.errors ?? []).toEqual([]);
    expect(isValues({ replica: 3 })).toBe(false);
  });

  it('uses no value that values.yaml does not name', () => {
    const values: unknown = parse(read('kubernetes/values.yaml'));
    for (const template of templates) {
      for (const [, path] of read('kubernetes/templates', template).matchAll(/\.Values\.([A-Za-z.]+)/g)) {
        const value = path!
          .split('.')
          .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], values);
        expect(value, `${template}: ${path}`).toBeDefined();
      }
    }
  });

  it('sets no variable that gomsg does not know', () => {
    const set = [...read('kubernetes/templates/statefulset.yaml').matchAll(/name: (GOMSG_\w+)/g)].map(
      ([, name]) => name,
    );
    expect(set).not.toEqual([]);
    expect(NAMED_SETTINGS.map(({ variable }) => variable)).toEqual(expect.arrayContaining(set));
  });

  it('is of the version that the program says', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'server/package.json'), 'utf8'));
    expect(parse(read('kubernetes/Chart.yaml')).appVersion).toBe(version);
  });

  it('runs as the user of the image, with time to drain', () => {
    const user = /^USER (\d+)/m.exec(read('Dockerfile'))?.[1];
    expect(read('kubernetes/templates/statefulset.yaml')).toContain(`runAsUser: ${user}`);
    const values = parse(read('kubernetes/values.yaml'));
    expect(values.terminationGracePeriodSeconds).toBeGreaterThan(values.drainTimeoutSeconds);
  });
});
