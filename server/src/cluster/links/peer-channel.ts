/** A connection to another node, for as long as its link lasts. */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';
import { createChannel, createClient } from 'nice-grpc';
import { PeerService } from '../../gen/gomsg/internal/v1/peer_pb.js';
import type { TlsOptions } from '../../transport/port.ts';
import { type BidiCall, DialledStream } from './dialled-stream.ts';
import type { LinkLimits } from './options.ts';

/** The methods of PeerService. */
export type PeerMethod = 'link' | 'installSnapshot' | 'forward' | 'join';

/** The node's own certificate and authorities cannot be used. */
export class TlsSettingsError extends Error {
  override readonly name = 'TlsSettingsError';
}

/**
 * Not yet connected: the first stream connects. Every channel has a connection of its own, so that a lost one is never
 * waited for: the link decides when to try again.
 */
export class PeerChannel {
  readonly #channel: ReturnType<typeof createChannel>;
  readonly #client: Record<PeerMethod, BidiCall>;
  readonly #address: string;
  readonly #maxUnsentBytes: number;
  readonly #streams = new Set<DialledStream>();

  constructor(address: string, tls: TlsOptions | undefined, limits: LinkLimits) {
    this.#address = address;
    this.#maxUnsentBytes = limits.maxUnsentBytes;
    this.#channel = createChannel(address, credentials(address, tls), {
      ...(tls !== undefined && nameOptions(address)),
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_channelz': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.keepalive_time_ms': limits.keepaliveInterval_ms,
      'grpc.keepalive_timeout_ms': limits.keepaliveTimeout_ms,
      'grpc.max_receive_message_length': limits.maxFrameBytes,
      'grpc.max_send_message_length': limits.maxFrameBytes,
      'grpc-node.flow_control_window': limits.receiveWindowBytes,
    });
    this.#client = createClient(DEFINITION, this.#channel) as unknown as Record<PeerMethod, BidiCall>;
  }

  /** Opens a stream; that it cannot be opened is told to its listener. */
  open(method: PeerMethod): DialledStream {
    const stream = new DialledStream(this.#client[method], this.#address, this.#maxUnsentBytes);
    // Streams that ended are looked for only here: closing one that did is no harm.
    for (const other of this.#streams) if (other.isClosed) this.#streams.delete(other);
    this.#streams.add(stream);
    return stream;
  }

  /** Ends the connection and every stream on it. */
  close(why: Error): void {
    for (const stream of this.#streams) stream.abort(why);
    this.#streams.clear();
    this.#channel.close();
  }
}

/** As the nodes show themselves to each other. */
export function credentials(address: string, tls: TlsOptions | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  const ip = ipOf(address);
  return ChannelCredentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert), {
    ...(ip !== undefined && {
      checkServerIdentity: (_name, certificate) => checkServerIdentity(ip, certificate),
    }),
  });
}

/**
 * grpc-js asks for the host by name in the TLS handshake, and an IP address is no name there (RFC 6066 §3). For one it is
 * given a name that nobody has; the certificate is then checked for the address.
 */
function nameOptions(address: string): ChannelOptions {
  return ipOf(address) === undefined ? {} : { 'grpc.ssl_target_name_override': 'gomsg-node' };
}

/** The host of `host:port` when it is an IP address. */
function ipOf(address: string): string | undefined {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 ? undefined : host;
}

function pem(given: TlsOptions['ca'] | TlsOptions['key']): Buffer | null {
  if (given === undefined) return null;
  if (typeof given === 'string') return Buffer.from(given);
  if (Buffer.isBuffer(given)) return given;
  if (Array.isArray(given)) {
    const parts = given.map((part: unknown) => pem(part as string | Buffer));
    return Buffer.concat(parts.filter((part) => part !== null));
  }
  throw new TlsSettingsError('certificate, key and authorities of a node must be PEM text');
}

/**
 * Messages pass as bytes, in the shape of ts-proto's definitions, which nice-grpc does not take for grpc-js's.
 *
 * `finish` gives the message's memory and not the view of it: nice-grpc passes what it gives to `Buffer.from`, which
 * copies a view and wraps memory. So a message must lie alone in its memory (`PeerStream.write`).
 */
const MESSAGE = {
  encode: (message: Buffer) => ({ finish: () => message.buffer as unknown as Uint8Array }),
  decode: (bytes: Uint8Array) => bytes,
};

const DEFINITION = {
  name: PeerService.name,
  fullName: PeerService.typeName,
  methods: Object.fromEntries(
    PeerService.methods.map((method) => [
      method.localName,
      {
        name: method.name,
        requestType: MESSAGE,
        requestStream: true,
        responseType: MESSAGE,
        responseStream: true,
        options: {},
      },
    ]),
  ),
};
