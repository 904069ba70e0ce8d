import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Exposition } from './exposition.ts';
import { COUNT_BOUNDS, Histogram, SECONDS_BOUNDS } from './instruments.ts';
import { NodeMetrics } from './node-metrics.ts';

const lineWith = (text: string, start: string) => text.split('\n').find((line) => line.startsWith(start));

describe('a histogram', () => {
  it('counts a value in the first bucket whose bound it does not pass', () => {
    const histogram = new Histogram([1, 2, 4]);
    for (const value of [0, 1, 1.5, 4, 5]) histogram.observe(value);
    expect(Array.from(histogram.snapshot().counts)).toEqual([2, 1, 1, 1]);
    expect(histogram.snapshot().sum).toBe(11.5);
  });

  it('estimates a quantile in the bucket where the exact one lies', () => {
    const values = fc.array(fc.double({ min: 1e-6, max: 10, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (observed, quantile) => {
        const histogram = new Histogram(SECONDS_BOUNDS);
        for (const value of observed) histogram.observe(value);
        const sorted = observed.toSorted((a, b) => a - b);
        const exact = sorted[Math.ceil(quantile * sorted.length) - 1]!;
        const upper = SECONDS_BOUNDS.find((bound) => exact <= bound)!;
        const lower = SECONDS_BOUNDS[SECONDS_BOUNDS.indexOf(upper) - 1] ?? 0;
        const estimate = histogram.quantile(quantile);
        expect(estimate).toBeGreaterThanOrEqual(lower);
        expect(estimate).toBeLessThanOrEqual(upper);
      }),
    );
  });

  it('leaves out what an earlier snapshot had seen', () => {
    const histogram = new Histogram(COUNT_BOUNDS);
    for (let count = 0; count < 100; count += 1) histogram.observe(1);
    const earlier = histogram.snapshot();
    expect(histogram.quantile(0.5, earlier)).toBeNaN();
    histogram.observe(1000);
    expect(histogram.quantile(0.5, earlier)).toBeGreaterThan(512);
    expect(histogram.quantile(0.5)).toBeLessThanOrEqual(1);
  });

  it('answers its last bound for what lies past it', () => {
    const histogram = new Histogram([1, 2]);
    histogram.observe(100);
    expect(histogram.quantile(0.99)).toBe(2);
  });
});

describe('the metrics of a node', () => {
  it('count and time calls by method and code', async () => {
    const metrics = new NodeMetrics();
    const set = metrics.rpc.method('gomsg.v1.KVService', 'Set');
    expect(metrics.rpc.method('gomsg.v1.KVService', 'Set')).toBe(set);
    set.started.add(3);
    set.finished(0, 0.0004);
    set.finished(0, 0.02);
    set.finished(9, 0.0001);
    const text = await metrics.exposition.text();
    const labels = 'service="gomsg.v1.KVService",method="Set"';
    expect(text).toContain(`gomsg_rpc_started_total{${labels}} 3`);
    expect(text).toContain(`gomsg_rpc_handling_seconds_bucket{${labels},code="OK",le="0.0005"} 1`);
    expect(text).toContain(`gomsg_rpc_handling_seconds_bucket{${labels},code="OK",le="+Inf"} 2`);
    expect(text).toContain(`gomsg_rpc_handling_seconds_count{${labels},code="OK"} 2`);
    expect(text).toContain(`gomsg_rpc_handling_seconds_count{${labels},code="FAILED_PRECONDITION"} 1`);
    expect(text).not.toContain('code="INTERNAL"');
    expect(metrics.rpc).toMatchObject({ handledTotal: 3, failedTotal: 1 });
  });

  it('are read at each scrape, not kept', async () => {
    const metrics = new NodeMetrics();
    metrics.transport.connections.add();
    metrics.wal.bytes.add(4096);
    metrics.wal.syncSeconds.observe(0.0002);
    let text = await metrics.exposition.text();
    expect(lineWith(text, 'gomsg_connections ')).toBe('gomsg_connections 1');
    expect(lineWith(text, 'gomsg_wal_bytes_total')).toBe('gomsg_wal_bytes_total 4096');
    expect(lineWith(text, 'gomsg_wal_sync_seconds_bucket{le="0.0002"}')).toMatch(/ 1$/);
    metrics.transport.connections.add(-1);
    text = await metrics.exposition.text();
    expect(lineWith(text, 'gomsg_connections ')).toBe('gomsg_connections 0');
    expect(lineWith(text, 'gomsg_wal_bytes_total')).toBe('gomsg_wal_bytes_total 4096');
  });

  it('share nothing between two nodes of one process', async () => {
    const [one, other] = [new NodeMetrics(), new NodeMetrics()];
    one.apply.entries.add(7);
    expect(lineWith(await other.exposition.text(), 'gomsg_applied_entries_total')).toMatch(/ 0$/);
  });

  it('take readers of figures kept elsewhere, with labels, and refuse a name twice', async () => {
    const exposition = new Exposition();
    const depths = new Map([['jobs', 3]]);
    exposition.labelledGauge({ name: 'depth', help: 'Depth.', labels: ['queue'] }, () =>
      Array.from(depths, ([queue, value]) => ({ labels: { queue }, value })),
    );
    expect(await exposition.text()).toContain('depth{queue="jobs"} 3');
    depths.delete('jobs');
    expect(await exposition.text()).not.toContain('jobs');
    expect(() => exposition.gauge('depth', 'Again.', () => 1)).toThrow(/already been registered/);
  });

  it('include those of the process when asked', async () => {
    const exposition = new Exposition();
    exposition.addProcessMetrics();
    const text = await exposition.text();
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d/m);
    expect(exposition.contentType).toMatch(/^text\/plain/);
  });
});
