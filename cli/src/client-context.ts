/** Connects a command to its server and its streams. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { CommandContext } from './context.ts';
import { UsageError } from './errors.ts';
import type { GlobalOptions, TlsFiles } from './global-options.ts';
import type { Output } from './output/output.ts';
import type { ProcessStreams } from './process-streams.ts';

/** The longest that the client's timeouts can be. */
const MAX_TIMEOUT_MS = 99_999_999;

/** A transfer that waits for its server should find it soon after it is back. */
const MAX_RECONNECT_DELAY_MS = 500;

/** The client is loaded here: help and completion do without. */
export async function openContext(
  options: GlobalOptions,
  streams: ProcessStreams,
  output: Output,
  signal: AbortSignal,
): Promise<CommandContext> {
  const { connect } = await import('@gomsg/client/raw');
  const tls = options.tls && readTls(options.tls);
  const client = connect({
    addresses: options.servers,
    maxReconnectDelay_ms: MAX_RECONNECT_DELAY_MS,
    ...(tls && { tls }),
  });
  return {
    client,
    get server() {
      return client.address;
    },
    output,
    stdin: streams.stdin,
    stderr: streams.stderr,
    signal,
    call: (serverWait_ms = 0) => ({
      signal,
      timeout_ms: Math.min(Math.max(options.timeout_ms + serverWait_ms, 1), MAX_TIMEOUT_MS),
    }),
    stream: () => ({ signal }),
  };
}

/** @throws UsageError for files that cannot be read or hold something else */
function readTls({ ca, cert, key }: TlsFiles) {
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError(
      'a certificate and its private key go together',
      'Give --client-cert and --client-key.',
    );
  }
  const tls = {
    ...(ca !== undefined && { ca: content(ca) }),
    ...(cert !== undefined && { cert: content(cert) }),
    ...(key !== undefined && { key: content(key) }),
  };
  try {
    // Authorities that are none would be passed over.
    if (tls.ca !== undefined) new X509Certificate(tls.ca);
    createSecureContext(tls);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `the certificates or the key cannot be used: ${why}`,
      'Check --cacert, --client-cert and --client-key.',
    );
  }
  return Object.keys(tls).length === 0 ? true : tls;
}

function content(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
