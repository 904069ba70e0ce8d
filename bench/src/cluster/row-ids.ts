/** The rows of `--nodes`, in the order in which they run. */

/** Rows of the usual bench that run against the cluster, through the leaders of the keys as an SDK calls. */
export const ROUTED_ROWS = [
  'kv-set-1',
  'kv-set-50',
  'kv-set-1000',
  'kv-get-50',
  'queue-cycle',
  'stream-publish-1000',
] as const;

/** All calls go to one node, which passes on what others lead, as for a client that knows of no leaders. */
export const FORWARDED_ROW = 'kv-set-1000-forwarded';

/** What an idle cluster of many groups costs. */
export const IDLE_ROW = 'idle-256';

/** Each node in turn is killed under load. */
export const FAILOVER_ROW = 'failover';

export const CLUSTER_ROW_IDS: readonly string[] = [...ROUTED_ROWS, FORWARDED_ROW, IDLE_ROW, FAILOVER_ROW];
