/** One HTTP/2 connection to one node. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { type Channel, ChannelCredentials, type ChannelOptions, Metadata } from '@grpc/grpc-js';
import { createChannel } from 'nice-grpc';

/** Certificates of a connection, as PEM text or bytes, or as paths of files that hold them. */
export interface TlsOptions {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string | Uint8Array;
  /** Certificate chain of the client, where the server asks for one; needs `key`. */
  readonly cert?: string | Uint8Array;
  /** Private key of `cert`. */
  readonly key?: string | Uint8Array;
  /** Name that the server's certificate must have, where it is not the host of the address. */
  readonly serverName?: string;
}

/** A token, or what gives the current one; asked for each connection and each call that does not share one. */
export type Token = string | (() => string | Promise<string>);

/** How connections are made and kept. */
export interface ChannelSettings {
  /** TLS; `true` trusts the system's authorities. Default: no TLS. */
  readonly tls?: boolean | TlsOptions;
  /** Sent as `authorization: Bearer …`. Default: none. */
  readonly token?: Token;
  /**
   * The node is pinged this often while a call or stream is open on the connection, in milliseconds. Default 3,000. The
   * stream over which pipelined calls go is open for as long as its connection.
   */
  readonly keepaliveInterval_ms?: number;
  /**
   * A connection that leaves a ping unanswered this long is given up, as if it had broken. Default 2,000: a node that
   * falls silent is left after 5 s at most. A program that keeps its thread busy for longer may give up good ones.
   */
  readonly keepaliveTimeout_ms?: number;
  /** A try to connect is given up after this long. Default 5,000. */
  readonly connectTimeout_ms?: number;
  /** Longest wait between two tries to connect; the first is 100 ms and each doubles. Default 2,000. */
  readonly maxReconnectDelay_ms?: number;
  /** Largest message either way. Default 64 MiB. */
  readonly maxMessageBytes?: number;
}

const DEFAULTS = {
  keepaliveInterval_ms: 3_000,
  keepaliveTimeout_ms: 2_000,
  connectTimeout_ms: 5_000,
  maxReconnectDelay_ms: 2_000,
  maxMessageBytes: 64 * 1024 * 1024,
} as const satisfies ChannelSettings;

const FIRST_RECONNECT_DELAY_MS = 100;

/**
 * What a server is asked for by name (SNI) where the address is an IP address, which TLS forbids as such a name: a name
 * that nobody has (RFC 2606), so that the server shows the certificate of its own.
 */
const NAME_OF_IP_ADDRESSES = 'address.invalid';

/** HTTP/2 receive window: a full one per round trip is what one connection can read at most. */
const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024;

/** A channel to `host:port`; it connects with its first call. */
export function openChannel(address: string, settings: ChannelSettings = {}): Channel {
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const { tls, ...limits }: typeof DEFAULTS & Pick<ChannelSettings, 'tls' | 'token'> = {
    ...DEFAULTS,
    ...given,
  };
  const options: ChannelOptions & { 'grpc.min_reconnect_backoff_ms': number } = {
    'grpc.keepalive_time_ms': limits.keepaliveInterval_ms,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeout_ms,
    'grpc.max_receive_message_length': limits.maxMessageBytes,
    'grpc.max_send_message_length': limits.maxMessageBytes,
    'grpc.initial_reconnect_backoff_ms': FIRST_RECONNECT_DELAY_MS,
    'grpc.max_reconnect_backoff_ms': limits.maxReconnectDelay_ms,
    // nice-grpc reads this as the limit of one try to connect, as other gRPC implementations do.
    'grpc.min_reconnect_backoff_ms': limits.connectTimeout_ms,
    // Every client has its own connection: one that closes, or backs off, does not touch another.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
  };
  const serverName = typeof tls === 'object' ? tls.serverName : undefined;
  const ip = ipOf(serverName ?? hostOf(address));
  if (serverName !== undefined) options['grpc.default_authority'] = serverName;
  if (ip !== undefined) options['grpc.ssl_target_name_override'] = NAME_OF_IP_ADDRESSES;
  else if (serverName !== undefined) options['grpc.ssl_target_name_override'] = serverName;
  return createChannel(address, credentials(tls, ip), options);
}

/**
 * The same with what its files hold, so that a connection later needs none of them.
 * @throws Error when a file cannot be read, or certificates or key are none
 */
export function readTls(tls: boolean | TlsOptions): boolean | TlsOptions {
  if (typeof tls === 'boolean') return tls;
  const { ca, cert, key, serverName } = tls;
  const read: TlsOptions = {
    ...(ca !== undefined && { ca: pem(ca) }),
    ...(cert !== undefined && { cert: pem(cert) }),
    ...(key !== undefined && { key: pem(key) }),
    ...(serverName !== undefined && { serverName }),
  };
  // Authorities that are none would be passed over.
  if (ca !== undefined) new X509Certificate(pem(ca));
  credentials(read);
  return read;
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

function ipOf(host: string): string | undefined {
  return isIP(host) === 0 ? undefined : host;
}

/** Headers of a call with this token; a promise only where the token is one, or cannot be sent. Never throws. */
export function callMetadata(token: Token | undefined): Metadata | Promise<Metadata> {
  if (typeof token !== 'function') {
    try {
      return withToken(token);
    } catch (error) {
      return Promise.reject(error);
    }
  }
  // In a promise in any case: a function that throws fails the call that needs the token.
  return new Promise<string>((resolve) => resolve(token())).then(withToken);
}

function withToken(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

/** With `ip`, the certificate must be for that address, whatever name was asked for. */
function credentials(tls: boolean | TlsOptions | undefined, ip?: string): ChannelCredentials {
  if (!tls) return ChannelCredentials.createInsecure();
  const { ca, key, cert } = tls === true ? {} : tls;
  return ChannelCredentials.createSsl(
    ca === undefined ? null : pem(ca),
    key === undefined ? null : pem(key),
    cert === undefined ? null : pem(cert),
    ip === undefined
      ? {}
      : { checkServerIdentity: (_name, certificate) => checkServerIdentity(ip, certificate) },
  );
}

function pem(source: string | Uint8Array): Buffer {
  if (typeof source !== 'string') return Buffer.from(source);
  return source.includes('-----BEGIN') ? Buffer.from(source) : readFileSync(source);
}
