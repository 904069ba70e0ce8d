/** Shows instruments to Prometheus: values are read when somebody scrapes. */
import * as prometheus from 'prom-client';
import type { Histogram } from './instruments.ts';

export type Labels<L extends string> = Readonly<Record<L, string>>;

/** One line of a metric with labels. */
export interface Sample<L extends string, V> {
  readonly labels: Labels<L>;
  readonly value: V;
}

interface Description<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
}

/**
 * The metrics of one node. Names follow Prometheus' rules: base units (`_seconds`, `_bytes`), `_total` on counters.
 * The sources handed in are called at each scrape and must be quick.
 */
export class Exposition {
  readonly #registry = new prometheus.Registry();

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything in the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  counter(name: string, help: string, read: () => number): void {
    this.labelledCounter({ name, help, labels: [] }, () => [{ labels: {}, value: read() }]);
  }

  labelledCounter<L extends string>(of: Description<L>, read: () => Iterable<Sample<L, number>>): void {
    new prometheus.Counter<L>({
      name: of.name,
      help: of.help,
      labelNames: of.labels,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labels, value);
      },
    });
  }

  gauge(name: string, help: string, read: () => number): void {
    this.labelledGauge({ name, help, labels: [] }, () => [{ labels: {}, value: read() }]);
  }

  labelledGauge<L extends string>(of: Description<L>, read: () => Iterable<Sample<L, number>>): void {
    new prometheus.Gauge<L>({
      name: of.name,
      help: of.help,
      labelNames: of.labels,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  }

  histogram(name: string, help: string, source: Histogram): void {
    this.labelledHistogram({ name, help, labels: [] }, () => [{ labels: {}, value: source }]);
  }

  labelledHistogram<L extends string>(of: Description<L>, read: () => Iterable<Sample<L, Histogram>>): void {
    new CountedHistogram<L>(this.#registry, of, read);
  }

  /**
   * CPU, memory, open files, event-loop delay and garbage collection of the whole process. Call it once per
   * process, not once per node: it starts observers that live as long as the process.
   */
  addProcessMetrics(): void {
    prometheus.collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS,
    });
  }
}

/** Fine enough to see a blocked loop, coarse enough to leave an idle node idle. */
const EVENT_LOOP_SAMPLE_MS = 20;

/** A histogram that was counted elsewhere; prom-client's own looks up labels and allocates at each observation. */
class CountedHistogram<L extends string> extends prometheus.Histogram<L> {
  readonly #of: Description<L>;
  readonly #read: () => Iterable<Sample<L, Histogram>>;

  constructor(registry: prometheus.Registry, of: Description<L>, read: () => Iterable<Sample<L, Histogram>>) {
    super({ name: of.name, help: of.help, labelNames: of.labels, registers: [registry] });
    this.#of = of;
    this.#read = read;
  }

  /** Where the base class, and the registry when it writes text, take the values from. */
  async getForPromString() {
    const { name, help } = this.#of;
    const values: { metricName: string; labels: Record<string, string | number>; value: number }[] = [];
    for (const { labels, value: histogram } of this.#read()) {
      const { counts, sum } = histogram.snapshot();
      let cumulative = 0;
      counts.forEach((count, bucket) => {
        cumulative += count;
        const le = histogram.bounds[bucket] ?? '+Inf';
        values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulative });
      });
      values.push({ metricName: `${name}_sum`, labels, value: sum });
      values.push({ metricName: `${name}_count`, labels, value: cumulative });
    }
    return { name, help, type: 'histogram', values, aggregator: 'sum' };
  }
}
