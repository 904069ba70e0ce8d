/** What ClusterService and StreamService are told on a member of a cluster: put together from control state, reports and replicas. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type ClusterStats,
  ClusterStatsSchema,
  type GroupMoveSchema,
  type GroupStatusSchema,
  type GroupTopologySchema,
  type NodeSchema,
  NodeState,
} from '../gen/gomsg/v1/cluster_pb.js';
import type { Health, HealthReport } from '../observe/health.ts';
import type { ClusterAdmin, ClusterView } from '../services/cluster-service.ts';
import type { StreamNodes } from '../services/stream-service.ts';
import type { ControlView } from '../state/control/control-machine.ts';
import type { GroupPlacementView } from '../state/control/group-placement.ts';
import { CONTROL_GROUP } from '../state/control/limits.ts';
import type { MemberView as Member } from '../state/control/member.ts';
import { msToTimestamp } from '../state/durations.ts';
import { counted } from './counted.ts';
import type { Identity } from './identity.ts';
import type { LeaderTable } from './leader-table.ts';
import { type Move, moveMessage, moveOf } from './moves.ts';
import { type FigureSampler, sumOf } from './node-figures.ts';
import { nodeOf } from './replica-id.ts';
import type { LedGroup, NodeReport, Reports } from './reports.ts';
import { warningsOf } from './warnings.ts';

export interface MemberViewParts {
  readonly identity: Identity;
  readonly control: () => ControlView;
  readonly leaders: LeaderTable;
  readonly reports: Reports;
  /** What the leader of a group tells of it. */
  readonly ledReport: (group: number) => LedGroup | undefined;
  /** How far this node's replica of a group is; undefined where it has none. */
  readonly indexesOf: (group: number) => { readonly applied: number; readonly flushed: number } | undefined;
  /** What this node would report of itself now. */
  readonly ownReport: () => NodeReport;
  readonly sampleFigures: () => FigureSampler;
  /** Why there is no link to a node; undefined while there is one. */
  readonly whyDown: (node: number) => string | undefined;
  /** What is to be said of members of other clusters. */
  readonly foreign: () => readonly string[];
  readonly health: Health;
  readonly admin: ClusterAdmin;
  readonly clock: () => number;
}

export class MemberClusterView implements ClusterView, StreamNodes {
  readonly clustered = true;
  readonly #parts: MemberViewParts;

  constructor(parts: MemberViewParts) {
    this.#parts = parts;
  }

  get admin(): ClusterAdmin {
    return this.#parts.admin;
  }

  get clusterId(): string {
    return this.#parts.identity.clusterId;
  }

  get epoch(): number {
    return this.#control.cluster?.epoch ?? 0;
  }

  get self(): string {
    return this.#parts.identity.nodeId;
  }

  leaderOf(group: number): string {
    return this.#nodeId(this.#parts.leaders.leaderOf(group));
  }

  nodes(): MessageInitShape<typeof NodeSchema>[] {
    const leader = this.#parts.leaders.leaderOf(CONTROL_GROUP);
    const moves = this.#moves();
    const countOf = (nodes: readonly number[], node: number): number =>
      nodes.filter((one) => one === node).length;
    const arriving = moves.flatMap(({ to }) => to);
    const departing = moves.flatMap(({ from }) => from);
    return this.#members().map((member) => {
      const report = this.#reportOf(member.number);
      return {
        nodeId: member.nodeId,
        address: member.address,
        state: this.#stateOf(member, report),
        leader: member.number === leader,
        version: report?.version || member.version,
        hostLabel: member.hostLabel,
        ...(report?.startedAt && { startedAt: report.startedAt }),
        replicas: this.#replicasOn(member.number),
        leaders: this.#dataPlacements().filter(
          ({ group }) => this.#parts.leaders.leaderOf(group) === member.number,
        ).length,
        replicasArriving: countOf(arriving, member.number),
        replicasDeparting: countOf(departing, member.number),
      };
    });
  }

  groups(): MessageInitShape<typeof GroupStatusSchema>[] {
    return this.#control.placements().map((placement) => {
      const leader = this.#parts.leaders.leaderOf(placement.group);
      const led = this.#parts.ledReport(placement.group);
      const voters = led?.voters.map(Number) ?? placement.desired.voters;
      const learners = led?.learners.map(Number) ?? placement.desired.learners;
      const indexes = this.#parts.indexesOf(placement.group);
      return {
        group: placement.group,
        leaderNodeId: this.#nodeId(leader),
        term: led?.term ?? 0n,
        commitIndex: led?.commitIndex ?? 0n,
        appliedIndex: BigInt(indexes?.applied ?? 0),
        flushedIndex: BigInt(indexes?.flushed ?? 0),
        writesPerSecond: led?.load?.writesPerSecond ?? 0,
        readsPerSecond: led?.load?.readsPerSecond ?? 0,
        bytes: led?.load?.bytes ?? 0n,
        voterNodeIds: voters.map((replica) => this.#nodeId(nodeOf(replica))).sort(),
        learnerNodeIds: learners.map((replica) => this.#nodeId(nodeOf(replica))).sort(),
        slots: slotsOf(placement),
      };
    });
  }

  topology(): MessageInitShape<typeof GroupTopologySchema>[] {
    return this.#dataPlacements().map(({ group, slots, desired }) => ({
      group,
      slots: [...slots],
      leaderNodeId: this.leaderOf(group),
      replicaNodeIds: desired.voters.map((replica) => this.#nodeId(nodeOf(replica))),
    }));
  }

  problems(): string[] {
    const nodes = this.#members()
      .filter(({ number }) => !this.#isUp(number))
      .map(({ number, nodeId, address }) => {
        const why = this.#parts.whyDown(number);
        return `node ${nodeId} at ${address} does not answer${why === undefined ? '' : `: ${why}`}`;
      });
    const leaderless = this.#control
      .placements()
      .filter(({ group }) => this.#parts.leaders.leaderOf(group) === undefined)
      .map(({ group }) => `group ${group} has no leader`);
    const moving = this.#dataPlacements().filter((placement) => !this.#isSettled(placement)).length;
    const members = this.#members().filter(({ standing }) => standing === 'active').length;
    const wanted = Math.min(this.#control.cluster?.replication ?? 0, members);
    const thin = this.#dataPlacements().filter(({ desired }) => desired.voters.length < wanted).length;
    return [
      ...this.#parts.health.report().reasons,
      ...this.#parts.foreign(),
      ...nodes,
      ...leaderless,
      ...(thin > 0
        ? [`${counted(thin, 'group is yet to get its', 'groups are yet to get their')} ${wanted} replicas`]
        : []),
      ...(moving > 0 ? [`${counted(moving, 'group is', 'groups are')} moving`] : []),
    ];
  }

  warnings(): string[] {
    return warningsOf(this.#control, (node) => this.#replicasOn(node));
  }

  moves(): MessageInitShape<typeof GroupMoveSchema>[] {
    return this.#moves().map((move) => moveMessage(move, (node) => this.#nodeId(node)));
  }

  health(): HealthReport {
    return this.#parts.health.report();
  }

  sampler(): () => ClusterStats {
    const sampleOwn = this.#parts.sampleFigures();
    return () => {
      const own = sampleOwn();
      const nodes = this.#members().map(({ number, nodeId }) => ({
        ...(number === this.#parts.identity.nodeNumber ? own : (this.#reportOf(number)?.stats ?? {})),
        nodeId,
      }));
      return create(ClusterStatsSchema, {
        takenAt: msToTimestamp(this.#parts.clock()),
        total: sumOf(nodes),
        nodes,
      });
    };
  }

  get #control(): ControlView {
    return this.#parts.control();
  }

  #dataPlacements(): readonly GroupPlacementView[] {
    return this.#control.placements().filter(({ group }) => group !== CONTROL_GROUP);
  }

  /** By id, which is the order that all listings promise. */
  #members(): Member[] {
    return this.#control
      .members()
      .filter(({ standing }) => standing !== 'left')
      .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  #isUp(number: number): boolean {
    return number === this.#parts.identity.nodeNumber || this.#parts.reports.isAlive(number);
  }

  /** Undefined for a node that is down: what it said last is not true any more. */
  #reportOf(number: number): NodeReport | undefined {
    if (number === this.#parts.identity.nodeNumber) return this.#parts.ownReport();
    return this.#parts.reports.isAlive(number) ? this.#parts.reports.of(number) : undefined;
  }

  #moves(): Move[] {
    const reports = this.#members().map(({ number }) => ({ number, report: this.#reportOf(number) }));
    return this.#dataPlacements().flatMap((placement) => {
      const { group } = placement;
      const holders = reports.filter(({ report }) => report?.replicas.includes(group));
      const move = moveOf(
        placement,
        this.#parts.ledReport(group),
        holders.map(({ number }) => number),
      );
      return move === undefined ? [] : [move];
    });
  }

  /** Data groups of which a node has a replica: as it says, or while it is down as the others count it. */
  #replicasOn(number: number): number {
    const report = this.#reportOf(number);
    if (report !== undefined) return report.replicas.length;
    return this.#dataPlacements().filter((placement) =>
      this.#membersOf(placement).some((replica) => nodeOf(replica) === number),
    ).length;
  }

  #membersOf({ group, desired }: GroupPlacementView): readonly number[] {
    const led = this.#parts.ledReport(group);
    if (led === undefined) return desired.voters;
    return [...led.voters, ...led.votersOutgoing, ...led.learners].map(Number);
  }

  /** Its replicas are those that it is to have, and no change is under way. */
  #isSettled({ group, desired }: GroupPlacementView): boolean {
    const led = this.#parts.ledReport(group);
    if (led === undefined) return false;
    const voters = led.voters.map(Number);
    return (
      led.votersOutgoing.length === 0 &&
      voters.length === desired.voters.length &&
      voters.every((replica) => desired.voters.includes(replica))
    );
  }

  #stateOf(member: Member, report: NodeReport | undefined): NodeState {
    if (!this.#isUp(member.number)) return NodeState.DOWN;
    if (member.standing === 'leaving') return NodeState.LEAVING;
    return report?.state || NodeState.JOINING;
  }

  #nodeId(number: number | undefined): string {
    return number === undefined ? '' : (this.#control.member(number)?.nodeId ?? '');
  }
}

function slotsOf({ slots }: GroupPlacementView): number {
  return slots.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
