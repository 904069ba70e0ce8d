/** Counts and times calls, by method and outcome. */
import type { Exposition, Sample } from './exposition.ts';
import { Counter, Histogram, SECONDS_BOUNDS } from './instruments.ts';

/** gRPC status codes by number, in the spelling of the specification. */
const CODE_NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

const OK = 0;

type RpcLabel = 'service' | 'method' | 'code';

/** The meter of one method. Take it once, when the method is mounted; then a call costs two array accesses. */
export class MethodMeter {
  readonly service: string;
  readonly method: string;
  readonly started = new Counter();
  /** By code; a code that never occurred has no histogram, and no line in the scrape. */
  readonly handled: (Histogram | undefined)[] = new Array(CODE_NAMES.length).fill(undefined);
  handledTotal = 0;
  failedTotal = 0;

  constructor(service: string, method: string) {
    this.service = service;
    this.method = method;
  }

  /**
   * @param code numeric gRPC status code, 0 = OK.
   * @param seconds from the request's arrival to its answer, for a stream to its end.
   */
  finished(code: number, seconds: number): void {
    this.handledTotal += 1;
    if (code !== OK) this.failedTotal += 1;
    let histogram = this.handled[code];
    if (histogram === undefined) {
      histogram = new Histogram(SECONDS_BOUNDS);
      this.handled[code] = histogram;
    }
    histogram.observe(seconds);
  }
}

export class RpcMetrics {
  readonly #methods = new Map<string, MethodMeter>();

  constructor(exposition: Exposition) {
    exposition.labelledCounter(
      { name: 'gomsg_rpc_started_total', help: 'Calls begun.', labels: ['service', 'method'] },
      () =>
        Array.from(this.#methods.values(), (meter) => ({
          labels: namesOf(meter),
          value: meter.started.value,
        })),
    );
    exposition.labelledHistogram(
      {
        name: 'gomsg_rpc_handling_seconds',
        help: 'Time from the arrival of a call to its answer; its count is the number of calls answered.',
        labels: ['service', 'method', 'code'],
      },
      () => this.#handled(),
    );
  }

  /**
   * The meter of a method, the same one for every protocol it is mounted on. Methods come from the contracts, never
   * from callers, so their number is bounded.
   * @param service full name, such as `gomsg.v1.KVService`.
   */
  method(service: string, method: string): MethodMeter {
    const path = `${service}/${method}`;
    let meter = this.#methods.get(path);
    if (meter === undefined) {
      meter = new MethodMeter(service, method);
      this.#methods.set(path, meter);
    }
    return meter;
  }

  /** Calls answered since the start, over all methods. */
  get handledTotal(): number {
    return this.#sum((meter) => meter.handledTotal);
  }

  /** Of those, the ones with another code than OK. */
  get failedTotal(): number {
    return this.#sum((meter) => meter.failedTotal);
  }

  #sum(read: (meter: MethodMeter) => number): number {
    let total = 0;
    for (const meter of this.#methods.values()) total += read(meter);
    return total;
  }

  *#handled(): Iterable<Sample<RpcLabel, Histogram>> {
    for (const meter of this.#methods.values()) {
      for (const [code, histogram] of meter.handled.entries()) {
        if (histogram === undefined) continue;
        yield { labels: { ...namesOf(meter), code: CODE_NAMES[code] ?? String(code) }, value: histogram };
      }
    }
  }
}

function namesOf({ service, method }: MethodMeter): { service: string; method: string } {
  return { service, method };
}
