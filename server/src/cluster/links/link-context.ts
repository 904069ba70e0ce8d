/** What all links of a node share. */
import type { Logger } from '../../observe/logger.ts';
import type { ReportBug } from '../../transport/failures.ts';
import type { TlsOptions } from '../../transport/port.ts';
import type { LinkEvents, LinkLimits, LocalNode, NodeLocation } from './options.ts';
import type { RefusalLog } from './refusal-log.ts';

export interface LinkContext {
  readonly self: LocalNode;
  readonly secret: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly limits: LinkLimits;
  readonly events: LinkEvents;
  readonly logger: Logger;
  readonly refusals: RefusalLog;
  readonly reportBug: ReportBug;
  readonly locate: (node: number) => NodeLocation | undefined;
  readonly hasLeft: (node: number, nodeId: string) => boolean;
  readonly monotonic: () => number;
  readonly random: () => number;
  /** Something came from the node. */
  heard(node: number): void;
  linkChanged(node: number, up: boolean): void;
  newestReport(): Uint8Array | undefined;
  /** Runs what belongs to others. What it throws is a bug, which is reported and costs no link. */
  guard(where: string, action: () => void): void;
}
