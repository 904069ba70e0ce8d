/** The options that every client command has. */
import { address, choice, duration, listOf, text } from './arguments/kinds.ts';
import { flag, option, optionName, optionOr, type Specs } from './arguments/spec.ts';
import type { OutputFormat } from './output/output.ts';

const DEFAULT_PORT = 9000;
const DEFAULT_SERVER = 'localhost:9000';
const DEFAULT_TIMEOUT = '30s';

const servers = listOf(address(DEFAULT_PORT));
const format = choice<OutputFormat, OutputFormat>({ text: 'text', json: 'json' });
const file = text('file');

export const globalSpecs = {
  server: option(
    servers,
    `the server, or several of one cluster, of which the first that answers is taken (GOMSG_SERVER, else ${DEFAULT_SERVER})`,
    { short: 's' },
  ),
  output: option(format, 'text for people, json for scripts (GOMSG_OUTPUT, else text)', { short: 'o' }),
  timeout: optionOr(duration, DEFAULT_TIMEOUT, 'how long to wait for an answer'),
  tls: flag('use TLS, and trust the authorities that the system trusts'),
  cacert: option(file, 'use TLS, and trust the authorities in this PEM file (GOMSG_CACERT)'),
  clientCert: option(file, 'certificate for servers that ask for one, as PEM (GOMSG_CLIENT_CERT)'),
  clientKey: option(file, 'private key of --client-cert, as PEM (GOMSG_CLIENT_KEY)'),
} satisfies Specs;

export interface GlobalOptions {
  /** `host:port` each, at least one. */
  readonly servers: readonly string[];
  readonly output: OutputFormat;
  readonly timeout_ms: number;
  /** Paths of PEM files; undefined = without TLS. */
  readonly tls: TlsFiles | undefined;
}

export interface TlsFiles {
  /** Undefined = the authorities of the system. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** What was typed goes before the environment. */
export function globalOptions(
  typed: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): GlobalOptions {
  return {
    servers:
      (typed.server as readonly string[] | undefined) ?? servers.parse(env.GOMSG_SERVER || DEFAULT_SERVER),
    output: (typed.output as OutputFormat | undefined) ?? format.parse(env.GOMSG_OUTPUT || 'text'),
    timeout_ms: (typed.timeout as number | undefined) ?? duration.parse(DEFAULT_TIMEOUT),
    tls: tlsFiles(typed, env),
  };
}

function tlsFiles(
  typed: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): TlsFiles | undefined {
  const ca = (typed.cacert as string | undefined) ?? (env.GOMSG_CACERT || undefined);
  const cert = (typed.clientCert as string | undefined) ?? (env.GOMSG_CLIENT_CERT || undefined);
  const key = (typed.clientKey as string | undefined) ?? (env.GOMSG_CLIENT_KEY || undefined);
  return typed.tls === true || ca !== undefined || cert !== undefined || key !== undefined
    ? { ca, cert, key }
    : undefined;
}

/** Flags that begin a client's command line; any other flag in front is the server's. */
export const GLOBAL_FLAGS: ReadonlySet<string> = new Set([
  '-s',
  '-o',
  ...Object.keys(globalSpecs).map((field) => `--${optionName(field)}`),
]);
