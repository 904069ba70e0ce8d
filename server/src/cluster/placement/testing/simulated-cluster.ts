/**
 * A cluster without processes: the real control machine and the real steps of group leaders, over nodes that are up or
 * down as the test says. A round plans, proposes, and lets every leader do what it can; a new replica catches up within
 * a round. What must hold at every moment is checked at every change of a configuration.
 */
import assert from 'node:assert/strict';
import {
  AdmitNodeSchema,
  FoundClusterSchema,
  PreferLeaderSchema,
  SetReplicationSchema,
} from '../../../gen/gomsg/internal/v1/control_pb.js';
import {
  type Configuration,
  changedConfiguration,
  isJoint,
  makeConfiguration,
  members,
} from '../../../raft/configuration.ts';
import { controlMethod } from '../../../state/control/method-numbers.ts';
import { ControlDriver, facts } from '../../../state/control/testing/control-driver.ts';
import { isFailure, type Outcome } from '../../../state/failure.ts';
import { nextStep } from '../../reconcile.ts';
import { nodeOf } from '../../replica-id.ts';
import { evenRanges } from '../../slot-map.ts';
import { defaultPlacementOptions, type PlacementOptions } from '../options.ts';
import {
  type ClusterPicture,
  type GroupLoad,
  type GroupPicture,
  NO_LOAD,
  type PlacementChange,
} from '../picture.ts';
import { planControlVoters } from '../plan-control.ts';
import { planDepartures } from '../plan-departures.ts';
import { planLeaders } from '../plan-leaders.ts';
import { planReplicas } from '../plan-replicas.ts';

interface SimulatedNode {
  readonly node: number;
  label: string;
  down_ms: number;
  isDraining: boolean;
}

interface SimulatedGroup {
  readonly group: number;
  configuration: Configuration;
  /** Replica id; undefined while there is no majority. */
  leader: number | undefined;
  /** Replicas that have been members for a round. */
  caughtUp: Set<number>;
  /** Replica ids that the configuration ever had. */
  readonly everMembers: Set<number>;
  load: GroupLoad | undefined;
}

export interface Round {
  readonly moves: number;
  readonly transfers: number;
  /** Nothing was planned, and nothing was under way. */
  readonly isQuiet: boolean;
}

export class SimulatedCluster {
  readonly driver = new ControlDriver();
  readonly nodes = new Map<number, SimulatedNode>();
  readonly groups: SimulatedGroup[] = [];
  options: PlacementOptions;

  constructor(groups: number, replication: number, options: Partial<PlacementOptions> = {}) {
    this.options = { ...defaultPlacementOptions, ...options };
    this.#do(
      this.driver.run(controlMethod.foundCluster, FoundClusterSchema, {
        clusterId: 'simulated',
        node: facts('node1'),
        nonce: Buffer.from('1'),
        groups: evenRanges(groups),
        replication,
      }),
    );
    this.nodes.set(1, { node: 1, label: '', down_ms: 0, isDraining: false });
    for (let group = 0; group <= groups; group++) {
      this.groups.push({
        group,
        configuration: makeConfiguration([1]),
        leader: 1,
        caughtUp: new Set([1]),
        everMembers: new Set([1]),
        load: NO_LOAD,
      });
    }
  }

  get dataGroups(): readonly SimulatedGroup[] {
    return this.groups.slice(1);
  }

  join(label = ''): number {
    const node = this.nodes.size + 1;
    this.#do(
      this.driver.run(controlMethod.admitNode, AdmitNodeSchema, {
        node: { ...facts(`node${node}`), hostLabel: label },
        nonce: Buffer.from(String(node)),
      }),
    );
    this.nodes.set(node, { node, label, down_ms: 0, isDraining: false });
    return node;
  }

  /** False for a node that must stay. */
  leave(node: number): boolean {
    return !isFailure(this.driver.leave(node));
  }

  setDown(node: number, down_ms: number): void {
    this.nodes.get(node)!.down_ms = down_ms;
  }

  setReplication(replication: number): void {
    this.#do(this.driver.run(controlMethod.setReplication, SetReplicationSchema, { replication }));
  }

  /** Puts a group somewhere at once, as if it had always been there. */
  settle(group: number, nodes: number[], leader: number): void {
    this.#do(this.driver.place(group, nodes));
    const simulated = this.groups[group]!;
    const voters = this.driver.machine.placement(group)!.desired.voters;
    simulated.configuration = makeConfiguration(voters);
    simulated.caughtUp = new Set(voters);
    for (const replica of voters) simulated.everMembers.add(replica);
    simulated.leader = voters.find((replica) => nodeOf(replica) === leader)!;
  }

  picture(): ClusterPicture {
    const { machine } = this.driver;
    return {
      nodes: machine.members().flatMap(({ number, standing }) => {
        if (standing === 'left') return [];
        const { label, down_ms, isDraining } = this.nodes.get(number)!;
        return [{ node: number, standing, hostLabel: label, down_ms, isDraining }];
      }),
      groups: this.dataGroups.map((group) => this.#pictureOf(group)),
      control: this.#pictureOf(this.groups[0]!),
      replication: machine.cluster!.replication,
      mayMoveForLoad: true,
    };
  }

  round(): Round {
    const picture = this.picture();
    const placements = planReplicas(picture, this.options);
    const control = planControlVoters(picture, this.options);
    const leaders = planLeaders(picture, this.options);
    this.#checkThrottle(picture, placements);
    let moves = 0;
    for (const { group, expectedEpoch, nodes } of control ? [...placements, control] : placements) {
      const before = this.driver.machine.placement(group)!;
      assert.equal(before.epoch, expectedEpoch);
      if (group > 0) {
        moves += nodes.filter(
          (node) => !before.desired.voters.some((replica) => nodeOf(replica) === node),
        ).length;
      }
      this.#do(this.driver.place(group, [...nodes]));
    }
    for (const { group, node } of leaders) {
      const outcome = this.driver.run(controlMethod.preferLeader, PreferLeaderSchema, { group, node });
      // A placement of the same round may have taken its replica.
      assert.ok(!isFailure(outcome) || placements.some((change) => change.group === group));
    }
    const advanced = this.groups.filter((group) => this.#advance(group)).length;
    for (const node of planDepartures(this.picture())) this.#do(this.driver.left(node));
    const isQuiet = placements.length + leaders.length + advanced === 0 && control === undefined;
    return { moves, transfers: leaders.length, isQuiet };
  }

  /** Rounds until nothing is left to do. @throws when that takes more than `roundsMax` */
  converge(roundsMax: number): {
    readonly moves: number;
    readonly transfers: number;
    readonly rounds: number;
  } {
    let moves = 0;
    let transfers = 0;
    for (let rounds = 1; rounds <= roundsMax; rounds++) {
      const round = this.round();
      moves += round.moves;
      transfers += round.transfers;
      if (round.isQuiet) return { moves, transfers, rounds };
    }
    throw new Error(
      `still moving after ${roundsMax} rounds: ${JSON.stringify(planReplicas(this.picture()))}`,
    );
  }

  /** Replicas of data groups by node, of the nodes that stay. */
  replicaCounts(): Map<number, number> {
    return this.#countBy(({ configuration }) => configuration.voters);
  }

  leaderCounts(): Map<number, number> {
    return this.#countBy(({ leader }) => (leader === undefined ? [] : [leader]));
  }

  #countBy(replicas: (group: SimulatedGroup) => readonly number[]): Map<number, number> {
    const staying = this.driver.machine.members().filter(({ standing }) => standing === 'active');
    const counts = new Map(staying.map(({ number }) => [number, 0]));
    for (const group of this.dataGroups) {
      for (const replica of replicas(group))
        counts.set(nodeOf(replica), (counts.get(nodeOf(replica)) ?? 0) + 1);
    }
    return counts;
  }

  #pictureOf({ group, configuration, leader, caughtUp, load }: SimulatedGroup): GroupPicture {
    const { epoch, desired, preferredLeader } = this.driver.machine.placement(group)!;
    const report =
      leader === undefined
        ? undefined
        : {
            leader,
            voters: configuration.voters,
            votersOutgoing: configuration.votersOutgoing,
            learners: configuration.learners,
            settled: configuration.votersOutgoing.length === 0,
            caughtUp: [...caughtUp].filter((replica) => this.#isUp(replica)),
          };
    return { group, epoch, desired: desired.voters, preferredLeader, report, load };
  }

  /** What the group's leader does by itself. True when anything changed. */
  #advance(group: SimulatedGroup): boolean {
    const { desired, preferredLeader } = this.driver.machine.placement(group.group)!;
    const leaderBefore = group.leader;
    this.#elect(group);
    let isChanged = group.leader !== leaderBefore;
    const isCaughtUp = (replica: number) => this.#isUp(replica) && group.caughtUp.has(replica);
    const mayLead = (replica: number) => this.nodes.get(nodeOf(replica))?.isDraining !== true;
    while (group.leader !== undefined) {
      const { configuration, leader: self } = group;
      const step = nextStep({ self, configuration, isCaughtUp, mayLead }, desired);
      if (step === undefined) break;
      isChanged = true;
      if (step.kind === 'transfer') {
        group.leader = step.to;
        continue;
      }
      let next = changedConfiguration(configuration, {
        kind: 'change',
        changes: step.changes,
        transition: 'automatic',
      });
      this.#checkQuorum(group, next);
      if (isJoint(next)) next = changedConfiguration(next, { kind: 'leave-joint' });
      this.#checkChange(group, next);
      group.configuration = next;
      for (const replica of members(next)) group.everMembers.add(replica);
      this.#elect(group);
    }
    const preferred = desired.voters.find((replica) => nodeOf(replica) === preferredLeader);
    if (group.leader !== undefined && preferred !== undefined && preferred !== group.leader) {
      const { isDraining } = this.nodes.get(nodeOf(preferred))!;
      if (!isDraining && isCaughtUp(preferred) && group.configuration.voters.includes(preferred)) {
        group.leader = preferred;
        isChanged = true;
      }
    }
    // Whoever is a member by now has caught up by the next round.
    if (group.leader !== undefined) {
      const next = members(group.configuration).filter((replica) => this.#isUp(replica));
      isChanged ||= next.some((replica) => !group.caughtUp.has(replica));
      group.caughtUp = new Set(next);
    }
    return isChanged;
  }

  #elect(group: SimulatedGroup): void {
    const { voters } = group.configuration;
    const up = voters.filter((replica) => this.#isUp(replica));
    if (2 * up.length <= voters.length) group.leader = undefined;
    else if (group.leader === undefined || !up.includes(group.leader)) group.leader = up[0];
  }

  #checkQuorum({ group }: SimulatedGroup, next: Configuration): void {
    for (const majority of [next.voters, next.votersOutgoing]) {
      const up = majority.filter((replica) => this.#isUp(replica));
      assert.ok(2 * up.length > majority.length || majority.length === 0, `group ${group} would stop`);
    }
  }

  #checkChange({ group, configuration, everMembers }: SimulatedGroup, next: Configuration): void {
    const { desired } = this.driver.machine.placement(group)!;
    const votersMin = Math.min(configuration.voters.length, desired.voters.length);
    assert.ok(next.voters.length >= votersMin, `group ${group} loses a voter`);
    const all = members(next);
    assert.equal(new Set(all.map(nodeOf)).size, all.length, `group ${group} is on a node twice`);
    const current = members(configuration);
    for (const replica of all) {
      assert.ok(current.includes(replica) || !everMembers.has(replica), `replica ${replica} comes back`);
    }
  }

  /** Nobody is given more replicas at a time than agreed, those counted that are under way as far as is known. */
  #checkThrottle({ groups }: ClusterPicture, placements: readonly PlacementChange[]): void {
    const underWay = groups.flatMap(({ desired, report }) =>
      report ? desired.filter((replica) => !report.voters.includes(replica)).map(nodeOf) : [],
    );
    const given = placements.flatMap(({ group, nodes }) => {
      const held = groups.find((candidate) => candidate.group === group)!.desired.map(nodeOf);
      return nodes.filter((node) => !held.includes(node));
    });
    for (const node of new Set(given)) {
      const taken = [...underWay, ...given].filter((other) => other === node).length;
      assert.ok(taken <= this.options.movesPerNode, `node ${node} takes ${taken} replicas at a time`);
    }
  }

  #isUp(replica: number): boolean {
    return this.nodes.get(nodeOf(replica))!.down_ms === 0;
  }

  #do(outcome: Outcome | object): void {
    assert.ok(!('reason' in outcome), 'message' in outcome ? String(outcome.message) : 'refused');
  }
}
