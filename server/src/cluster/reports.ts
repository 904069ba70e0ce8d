/**
 * What the nodes tell each other about themselves: who leads what, how they are doing, their figures. Volatile, and
 * never decided upon as if it were certain: consensus decides, this only finds the way there.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type LedGroup, type NodeReport, NodeReportSchema } from '../gen/gomsg/internal/v1/report_pb.js';
import { NodeState } from '../gen/gomsg/v1/cluster_pb.js';

export type { LedGroup, NodeReport };

/** A node that was not heard of for this long is taken to be down: some lost reports, and more than an election takes. */
export const DOWN_AFTER_MS = 3_000;

/** Bytes of a report; a node with 1,024 groups needs a tenth of it. */
const REPORT_BYTES_MAX = 1024 * 1024;

export interface ReportedNode {
  readonly report: NodeReport;
  readonly led: ReadonlyMap<number, LedGroup>;
  /** By the clock of `Reports`. */
  readonly heardAt_ms: number;
}

export class Reports {
  readonly #nodes = new Map<number, ReportedNode>();
  /** When a node was first asked about without having been heard: it gets as long as one that fell silent. */
  readonly #awaitedSince_ms = new Map<number, number>();
  readonly #clock: () => number;

  /** @param clock milliseconds that only go forward */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** @throws RangeError for bytes that are no report */
  take(node: number, bytes: Uint8Array): NodeReport {
    if (bytes.length > REPORT_BYTES_MAX) throw new RangeError(`a report has ${bytes.length} bytes`);
    const report = decodeReport(bytes);
    const led = new Map(report.led.map((group) => [group.group, group]));
    this.#nodes.set(node, { report, led, heardAt_ms: this.#clock() });
    return report;
  }

  of(node: number): NodeReport | undefined {
    return this.#nodes.get(node)?.report;
  }

  /** What a node says of a group that it leads. */
  led(node: number, group: number): LedGroup | undefined {
    return this.#nodes.get(node)?.led.get(group);
  }

  isAlive(node: number): boolean {
    return this.silence_ms(node) < DOWN_AFTER_MS;
  }

  /** How long nothing was heard of a node. */
  silence_ms(node: number): number {
    const now_ms = this.#clock();
    const known = this.#nodes.get(node);
    if (known !== undefined) return now_ms - known.heardAt_ms;
    const since_ms = this.#awaitedSince_ms.get(node) ?? now_ms;
    this.#awaitedSince_ms.set(node, since_ms);
    return now_ms - since_ms;
  }
}

function decodeReport(bytes: Uint8Array): NodeReport {
  try {
    return fromBinary(NodeReportSchema, bytes);
  } catch (error) {
    throw new RangeError('a report cannot be read', { cause: error });
  }
}

export function encodeReport(report: MessageInitShape<typeof NodeReportSchema>): Uint8Array {
  return toBinary(NodeReportSchema, create(NodeReportSchema, report));
}

export function isDraining(report: NodeReport | undefined): boolean {
  return report?.state === NodeState.DRAINING;
}
