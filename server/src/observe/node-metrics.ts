/** The catalogue: every metric of a node, by the part that writes it. */
import { Exposition } from './exposition.ts';
import { COUNT_BOUNDS, Counter, Gauge, Histogram, SECONDS_BOUNDS } from './instruments.ts';
import { RpcMetrics } from './rpc-metrics.ts';

/**
 * Made once per node and passed down; two nodes in one process share nothing. A part writes to the fields of its
 * group (`metrics.wal.syncSeconds.observe(s)`); one that already keeps a figure of its own registers a reader
 * instead (`metrics.exposition.gauge(name, help, () => figure)`).
 */
export class NodeMetrics {
  readonly exposition = new Exposition();
  readonly rpc = new RpcMetrics(this.exposition);

  readonly transport = {
    /** Open connections, of any protocol. */
    connections: new Gauge(),
    /** Connections closed at once because `limits.max-connections` was reached. */
    connectionsRefused: new Counter(),
    /** Open watches, subscriptions and consumers. */
    subscriptions: new Gauge(),
    /** Bytes of requests and answers held for calls that are being worked on. */
    inFlightBytes: new Gauge(),
    /** Calls refused with RESOURCE_EXHAUSTED because a limit on bytes in flight was reached. */
    callsShed: new Counter(),
    /** Calls in one frame of a pipeline. */
    pipelineBatchCalls: new Histogram(COUNT_BOUNDS),
  };

  readonly wal = {
    /** Entries and bytes appended. */
    entries: new Counter(),
    bytes: new Counter(),
    /** Time of one write and fdatasync. Its count is the number of syncs. */
    syncSeconds: new Histogram(SECONDS_BOUNDS),
    /** Entries made durable by one sync. */
    syncEntries: new Histogram(COUNT_BOUNDS),
  };

  readonly apply = {
    /** Committed entries applied, and the calls inside them. */
    entries: new Counter(),
    operations: new Counter(),
  };

  readonly storage = {
    /** Bytes of the overlay that LMDB does not hold yet. */
    overlayBytes: new Gauge(),
    /** Time to write one batch of the overlay to LMDB and flush it. */
    checkpointSeconds: new Histogram(SECONDS_BOUNDS),
    /** Time writers waited because the overlay was full. */
    stallSeconds: new Counter(),
  };

  constructor() {
    const { exposition, transport, wal, apply, storage } = this;
    const counter = (name: string, help: string, source: Counter) =>
      exposition.counter(name, help, () => source.value);
    const gauge = (name: string, help: string, source: Gauge) =>
      exposition.gauge(name, help, () => source.value);

    gauge('gomsg_connections', 'Open connections.', transport.connections);
    counter(
      'gomsg_connections_refused_total',
      'Connections refused because there were too many.',
      transport.connectionsRefused,
    );
    gauge('gomsg_subscriptions', 'Open watches, subscriptions and consumers.', transport.subscriptions);
    gauge('gomsg_in_flight_bytes', 'Bytes of calls that are being worked on.', transport.inFlightBytes);
    counter(
      'gomsg_calls_shed_total',
      'Calls refused because too many bytes were in flight.',
      transport.callsShed,
    );
    exposition.histogram(
      'gomsg_pipeline_batch_calls',
      'Calls in one frame of a pipeline.',
      transport.pipelineBatchCalls,
    );

    counter('gomsg_wal_entries_total', 'Entries appended to the write-ahead log.', wal.entries);
    counter('gomsg_wal_bytes_total', 'Bytes appended to the write-ahead log.', wal.bytes);
    exposition.histogram('gomsg_wal_sync_seconds', 'Time of one write and sync of the log.', wal.syncSeconds);
    exposition.histogram('gomsg_wal_sync_entries', 'Entries made durable by one sync.', wal.syncEntries);

    counter('gomsg_applied_entries_total', 'Committed log entries applied.', apply.entries);
    counter('gomsg_applied_operations_total', 'Calls applied from committed log entries.', apply.operations);

    gauge('gomsg_overlay_bytes', 'Bytes of writes held in memory until LMDB has them.', storage.overlayBytes);
    exposition.histogram(
      'gomsg_checkpoint_seconds',
      'Time to write one batch of the overlay to LMDB.',
      storage.checkpointSeconds,
    );
    counter(
      'gomsg_storage_stall_seconds_total',
      'Time writers waited for the overlay to be written out.',
      storage.stallSeconds,
    );
  }
}
