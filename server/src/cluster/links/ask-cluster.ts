/** Finds out which cluster the node at an address belongs to. */
import type { TlsOptions } from '../../transport/port.ts';
import { dialHandshake, LinkRefusedError, type PeerNode, RefusalReason, StreamPurpose } from './handshake.ts';
import { LINK_DEFAULTS } from './options.ts';
import { closeAfterRefusal } from './outbound-link.ts';
import { PeerChannel } from './peer-channel.ts';

export interface AskOptions {
  /** This node. */
  readonly nodeId: string;
  readonly version: string;
  readonly secret: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly timeout_ms: number;
}

/**
 * The member that answers at the address; undefined when nobody answers in time, or a node that is no member.
 * @throws LinkRefusedError when there is a member that does not share the secret or speaks no common version
 */
export async function askForCluster(address: string, options: AskOptions): Promise<PeerNode | undefined> {
  const { nodeId, version, secret, tls, timeout_ms } = options;
  const channel = new PeerChannel(address, tls, LINK_DEFAULTS);
  const stream = channel.open('join');
  const { promise, resolve } = Promise.withResolvers<PeerNode | Error>();
  dialHandshake(
    stream,
    {
      self: { number: 0, nodeId, clusterId: '', version },
      secret,
      purpose: StreamPurpose.JOIN,
      target: undefined,
      timeout_ms,
    },
    resolve,
  );
  const outcome = await promise;
  closeAfterRefusal(channel, stream, outcome instanceof Error ? outcome : new Error('it answered'));
  if (!(outcome instanceof Error)) return outcome;
  if (!(outcome instanceof LinkRefusedError)) return undefined;
  const { reason } = outcome;
  if (reason === RefusalReason.SECRET || reason === RefusalReason.VERSION) throw outcome;
  return undefined;
}
