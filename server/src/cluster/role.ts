/** What a node is to others: on its own, or a member of a cluster. `node.ts` makes everything else the same for both. */
import type { Config } from '../config/schema.ts';
import type { GroupHost, HostOptions } from '../groups/host.ts';
import type { Health } from '../observe/health.ts';
import type { Logger } from '../observe/logger.ts';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { ClusterView } from '../services/cluster-service.ts';
import type { GroupRouter } from '../services/groups.ts';
import type { Method } from '../services/method.ts';
import type { StreamNodes } from '../services/stream-service.ts';
import type { ReportBug } from '../transport/failures.ts';
import type { TlsOptions } from '../transport/port.ts';
import type { Identity } from './identity.ts';

export interface Role {
  readonly identity: Identity;
  readonly host: GroupHost;
  readonly router: GroupRouter;
  readonly view: ClusterView & StreamNodes;
  /** The methods of the services as this node serves them. */
  serve(services: readonly Method[]): readonly Method[];
  /** What the other nodes call on this one. */
  readonly peerMethods: readonly Method[];
  /** Calls back when another node is found dead. Returns what ends that. */
  onNodeDown(listener: () => void): () => void;
  /** The port is open. */
  serving(): void;
  /** Before the port closes: hands over what it leads, as far as others can take it. Bounded in time; never rejects. */
  resign(): Promise<void>;
  /** Resolves once no call that was passed on waits for its answer, or after a while; never rejects. */
  settled(): Promise<void>;
  /** Ends what it has to do with other nodes. */
  close(): void;
}

/** What a role is made of. */
export interface RoleParts {
  readonly config: Config;
  /** `host:port` at which clients and other nodes reach this node. Of a node on its own, known once its port is open. */
  readonly address: () => string;
  readonly tls: TlsOptions | undefined;
  readonly health: Health;
  readonly metrics: NodeMetrics;
  readonly logger: Logger;
  readonly reportBug: ReportBug;
  readonly startedAt_ms: number;
  /** What its groups are made of, beside what the role knows. */
  readonly groups: Omit<HostOptions, 'node' | 'cluster'>;
}
