/** What this node tells the others of itself, and what all of them together are heard to say. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { LedGroupSchema, NodeReportSchema } from '../gen/gomsg/internal/v1/report_pb.js';
import { NodeState } from '../gen/gomsg/v1/cluster_pb.js';
import type { Group } from '../groups/group.ts';
import { progressOf } from '../groups/progress.ts';
import { CONTROL_GROUP } from '../state/control/limits.ts';
import { msToTimestamp } from '../state/durations.ts';
import type { Hearsay } from './control/cluster-picture.ts';
import type { LeaderTable } from './leader-table.ts';
import { LoadMeter, MEASURED_MS_MIN, type MeasuredLoad } from './load-meter.ts';
import type { NodeFigures } from './node-figures.ts';
import { encodeReport, isDraining, type LedGroup, type NodeReport, type Reports } from './reports.ts';

export interface ReportingParts {
  /** Number of this node. */
  readonly self: number;
  readonly version: string;
  readonly startedAt_ms: number;
  /** Replicas of this node. */
  readonly replicas: () => readonly Group[];
  readonly replica: (group: number) => Group | undefined;
  /** Bytes sent of the snapshot that a replica is being given; undefined when none is under way. */
  readonly snapshotSentBytes: (group: Group, replicaId: number) => number | undefined;
  readonly leaders: LeaderTable;
  readonly reports: Reports;
  /** This node is about to stop. */
  readonly isDraining: () => boolean;
  /** Rates are over the time since it was last asked. */
  readonly sampleFigures: () => NodeFigures;
  readonly send: (report: Uint8Array) => void;
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number;
}

export class Reporting {
  readonly #parts: ReportingParts;
  readonly #load: LoadMeter;
  #figures: NodeFigures = {};

  constructor(parts: ReportingParts) {
    this.#parts = parts;
    this.#load = new LoadMeter(parts.monotonic);
  }

  /** Tells all nodes, with figures of now. */
  sendFigures(): void {
    this.#figures = this.#parts.sampleFigures();
    this.#load.sample(this.#parts.replicas());
    this.send();
  }

  /** Tells all nodes, with the figures of last time: for news of what this node leads. */
  send(): void {
    this.#parts.send(encodeReport(this.own()));
  }

  own(): NodeReport {
    const { version, startedAt_ms, replicas } = this.#parts;
    const groups = replicas();
    return create(NodeReportSchema, {
      state: this.#parts.isDraining() ? NodeState.DRAINING : NodeState.UP,
      version,
      startedAt: msToTimestamp(startedAt_ms),
      led: groups.filter(({ isLeader }) => isLeader).map((group) => this.#ledGroup(group)),
      replicas: groups.filter(({ id }) => id !== CONTROL_GROUP).map(({ id }) => id),
      stats: this.#figures,
    });
  }

  /** Takes the report of another node. @throws Error for bytes that are no report */
  take(from: number, bytes: Uint8Array): void {
    const { leaders, reports } = this.#parts;
    const report = reports.take(from, bytes);
    leaders.claims(
      from,
      report.led.map(({ group, term }) => ({ group, term: Number(term) })),
    );
  }

  /** What the leader of a group says of it, whoever that is. */
  led(group: number): LedGroup | undefined {
    const { self, leaders, reports, replica } = this.#parts;
    const leader = leaders.leaderOf(group);
    if (leader === undefined) return undefined;
    if (leader !== self) return reports.led(leader, group);
    const own = replica(group);
    return own?.isLeader ? create(LedGroupSchema, this.#ledGroup(own)) : undefined;
  }

  /** What is heard of all nodes and groups, this node's own included. */
  hearsay(): Hearsay {
    const { self, leaders, reports } = this.#parts;
    return {
      down_ms: (node) => (node === self || reports.isAlive(node) ? 0 : Math.max(1, reports.silence_ms(node))),
      isDraining: (node) => (node === self ? this.#parts.isDraining() : isDraining(reports.of(node))),
      led: (group) => {
        const node = leaders.leaderOf(group);
        const heard = this.led(group);
        return node === undefined || heard === undefined ? undefined : { node, heard };
      },
      loadOf: (group) => {
        const load = this.#loadOf(group);
        return load === undefined || load.measured_ms < MEASURED_MS_MIN ? undefined : load;
      },
    };
  }

  #loadOf(group: number): MeasuredLoad | undefined {
    const { self, leaders, reports } = this.#parts;
    const leader = leaders.leaderOf(group);
    if (leader === undefined) return undefined;
    if (leader === self) return this.#load.of(group);
    const load = reports.led(leader, group)?.load;
    if (load === undefined) return undefined;
    const { writesPerSecond, readsPerSecond, bytes, measuredMs } = load;
    return { writesPerSecond, readsPerSecond, bytes: Number(bytes), measured_ms: Number(measuredMs) };
  }

  #ledGroup(group: Group): MessageInitShape<typeof LedGroupSchema> {
    const { voters, votersOutgoing, learners } = group.configuration;
    const status = group.status();
    const { commit, lastIndex, configurationSettled } = status;
    const progress = progressOf(status);
    const load = this.#load.of(group.id);
    return {
      group: group.id,
      term: BigInt(group.term),
      commitIndex: BigInt(commit),
      voters: voters.map(BigInt),
      votersOutgoing: votersOutgoing.map(BigInt),
      learners: learners.map(BigInt),
      settled: configurationSettled,
      caughtUp: progress
        .filter(({ caughtUp, active }) => caughtUp && active)
        .map((member) => BigInt(member.replicaId)),
      catchingUp: progress
        .filter(({ caughtUp }) => !caughtUp)
        .map(({ replicaId, matchIndex }) => ({
          replica: BigInt(replicaId),
          percent: this.#percentThere(group, replicaId, matchIndex / Math.max(1, lastIndex)),
        })),
      ...(load && {
        load: {
          writesPerSecond: load.writesPerSecond,
          readsPerSecond: load.readsPerSecond,
          bytes: BigInt(load.bytes),
          measuredMs: BigInt(Math.round(load.measured_ms)),
        },
      }),
    };
  }

  /** Of the snapshot while one is sent, else of the log; never whole before the member has caught up. */
  #percentThere(group: Group, replicaId: number, logPart: number): number {
    const sentBytes = this.#parts.snapshotSentBytes(group, replicaId);
    const bytes = this.#load.of(group.id)?.bytes ?? 0;
    const part = sentBytes === undefined ? logPart : sentBytes / Math.max(1, bytes);
    return Math.min(99, Math.floor(100 * part));
  }
}
