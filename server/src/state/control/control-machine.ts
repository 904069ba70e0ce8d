/**
 * The machine of the control group: the members of the cluster, which group owns which slots, the replicas that each
 * group is to have, and settings of the cluster as a whole.
 *
 * It is small (rows in the hundreds) and changes seldom, so it lives in memory and is written down at `save`. Every node
 * holds the control group, so every node reads it at home; what it reads may trail the others by a moment.
 *
 * It says where replicas are *to be*. Where they are is the Raft configuration of each group, whose leader moves it
 * towards this; see docs/decisions.
 */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import {
  AdmitNodeSchema,
  ChangeSettingSchema,
  FoundClusterSchema,
  MarkLeavingSchema,
  MarkLeftSchema,
  PlaceGroupSchema,
  PreferLeaderSchema,
  RaiseLevelSchema,
  SetReplicationSchema,
  UpdateNodeSchema,
} from '../../gen/gomsg/internal/v1/control_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Outcome } from '../failure.ts';
import type { ApplyContext, Command, Machine, StateStore } from '../machine.ts';
import { ControlTable } from './control-table.ts';
import type { GroupPlacementView } from './group-placement.ts';
import { ControlLayout } from './layout.ts';
import type { ControlListener } from './listener.ts';
import type { MemberView } from './member.ts';
import { MembershipCommands } from './membership-commands.ts';
import { controlMethod } from './method-numbers.ts';
import { PlacementCommands } from './placement-commands.ts';

/** The cluster as a whole. */
export interface ClusterFacts {
  readonly clusterId: string;
  /** Unix milliseconds. */
  readonly foundedAt_ms: number;
  /** Rises with every change of members, slots or desired replicas. */
  readonly epoch: number;
  /** Replicas that a group is to have where there are nodes enough. */
  readonly replication: number;
  /** Level at which its members write: see `state/level.ts`. */
  readonly level: number;
}

/** What a node reads of the control state. Views hold between two entries only: look them up anew. */
export interface ControlView {
  /** Undefined until the cluster is founded. */
  readonly cluster: ClusterFacts | undefined;
  /** Everybody who was ever admitted, by number; those that left too. */
  members(): readonly MemberView[];
  member(node: number): MemberView | undefined;
  memberById(nodeId: string): MemberView | undefined;
  /** Number of a node id that was ever used. */
  numberOf(nodeId: string): number | undefined;
  /** By group id, the control group first; empty until the cluster is founded. */
  placements(): readonly GroupPlacementView[];
  placement(group: number): GroupPlacementView | undefined;
  /** Whether a replica of a group was ever given to its node. */
  wasGiven(group: number, replica: number): boolean;
  /** The data group that owns a slot; undefined until the cluster is founded. */
  groupOfSlot(slot: number): number | undefined;
  setting(name: string): string | undefined;
  /** Name and value, by name. */
  settings(): readonly (readonly [name: string, value: string])[];
}

export class ControlMachine implements Machine, ControlView {
  readonly methods: readonly number[] = Object.values(controlMethod);
  /** Is told what changes; one at most, and on every node that has one. */
  listener: ControlListener | undefined;
  readonly #table: ControlTable;
  readonly #membership: MembershipCommands;
  readonly #placement: PlacementCommands;

  constructor(store: StateStore, group: number) {
    this.#table = new ControlTable(store, new ControlLayout(group));
    this.#membership = new MembershipCommands(this.#table);
    this.#placement = new PlacementCommands(this.#table);
  }

  get cluster(): ClusterFacts | undefined {
    return this.#table.cluster;
  }

  members(): readonly MemberView[] {
    return [...this.#table.members()];
  }

  member(node: number): MemberView | undefined {
    return this.#table.member(node);
  }

  memberById(nodeId: string): MemberView | undefined {
    const number = this.numberOf(nodeId);
    return number === undefined ? undefined : this.member(number);
  }

  numberOf(nodeId: string): number | undefined {
    return this.#table.numberOf(nodeId);
  }

  placements(): readonly GroupPlacementView[] {
    return this.#table.groups;
  }

  placement(group: number): GroupPlacementView | undefined {
    return this.#table.group(group);
  }

  wasGiven(group: number, replica: number): boolean {
    return this.#table.group(group)?.wasGiven(replica) ?? false;
  }

  groupOfSlot(slot: number): number | undefined {
    return this.#table.groupOfSlot(slot);
  }

  setting(name: string): string | undefined {
    return this.#table.settings().get(name);
  }

  settings(): readonly (readonly [name: string, value: string])[] {
    return [...this.#table.settings()].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  apply(command: Command, { stamp_ms }: ApplyContext): Outcome {
    const { listener } = this;
    switch (command.method) {
      case controlMethod.foundCluster:
        return this.#membership.found(decoded(FoundClusterSchema, command), stamp_ms, listener);
      case controlMethod.admitNode:
        return this.#membership.admit(decoded(AdmitNodeSchema, command), stamp_ms, listener);
      case controlMethod.updateNode:
        return this.#membership.update(decoded(UpdateNodeSchema, command), listener);
      case controlMethod.markLeaving:
        return this.#membership.markLeaving(decoded(MarkLeavingSchema, command), listener);
      case controlMethod.markLeft:
        return this.#membership.markLeft(decoded(MarkLeftSchema, command), listener);
      case controlMethod.placeGroup:
        return this.#placement.place(decoded(PlaceGroupSchema, command), listener);
      case controlMethod.preferLeader:
        return this.#placement.preferLeader(decoded(PreferLeaderSchema, command), listener);
      case controlMethod.setReplication:
        return this.#placement.setReplication(decoded(SetReplicationSchema, command), listener);
      case controlMethod.changeSetting:
        return this.#placement.changeSetting(decoded(ChangeSettingSchema, command), listener);
      case controlMethod.raiseLevel:
        return this.#membership.raiseLevel(decoded(RaiseLevelSchema, command), listener);
      default:
        return {
          reason: ErrorReason.METHOD_NOT_FOUND,
          message: `${command.method} is no command of the control group`,
        };
    }
  }

  /** Nothing gathers per entry. */
  endEntry(): void {}

  /** Nothing falls due by time: what a node that is down means is decided by whoever plans placements. */
  expireDue(): boolean {
    return false;
  }

  nextDue_ms(): number | undefined {
    return undefined;
  }

  save(): void {
    this.#table.save();
  }

  load(): void {
    this.#table.load();
    this.listener?.reloaded();
  }
}

/** The request of a command: as the leader decoded it, or from the log. */
function decoded<T extends DescMessage>(schema: T, command: Command): MessageShape<T> {
  return (command.request as MessageShape<T> | undefined) ?? fromBinary(schema, command.payload);
}
