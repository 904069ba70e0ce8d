/** The commands about groups and the cluster as a whole: PlaceGroup, PreferLeader, SetReplication, ChangeSetting. */
import { create, toBinary } from '@bufbuild/protobuf';
import { nodeOf } from '../../cluster/replica-id.ts';
import {
  type ChangeSetting,
  type PlaceGroup,
  PlaceGroupAnswerSchema,
  type PreferLeader,
  type SetReplication,
} from '../../gen/gomsg/internal/v1/control_pb.js';
import type { Failure, Outcome } from '../failure.ts';
import { replicationProblem } from './checks.ts';
import type { ControlTable } from './control-table.ts';
import {
  invalid,
  invalidSettings,
  nodeNotFound,
  notFounded,
  notStaying,
  notToHold,
  placementChanged,
} from './failures.ts';
import type { GroupPlacement } from './group-placement.ts';
import { CONTROL_GROUP, MAX_REPLICATION, MAX_SETTING_BYTES, MAX_SETTINGS, MAX_TEXT_BYTES } from './limits.ts';
import type { ControlListener } from './listener.ts';

/** Answer of the commands that have nothing to tell. */
const DONE = new Uint8Array(0);

export class PlacementCommands {
  readonly #table: ControlTable;

  constructor(table: ControlTable) {
    this.#table = table;
  }

  place(request: PlaceGroup, listener: ControlListener | undefined): Outcome {
    const { cluster } = this.#table;
    const placement = this.#table.group(request.group);
    if (cluster === undefined) return notFounded;
    if (placement === undefined) return invalid(`the cluster has no group ${request.group}`);
    const { nodes } = request;
    if (nodes.length === 0 || nodes.length > MAX_REPLICATION || new Set(nodes).size < nodes.length) {
      return invalid(`a group is placed on 1 to ${MAX_REPLICATION} different nodes`);
    }
    const expected = Number(request.expectedEpoch);
    if (expected !== placement.epoch) return placementChanged(placement, expected);
    const problem = nodes.map((node) => this.#refusal(placement, node)).find((failure) => failure);
    if (problem) return problem;

    const isSame =
      nodes.length === placement.desired.voters.length && nodes.every((n) => placement.votesOn(n));
    if (!isSame) {
      const epoch = this.#table.nextEpoch(cluster);
      if (placement.group === CONTROL_GROUP) this.#table.enrolInControlGroup(nodes, epoch);
      else placement.moveTo(nodes, epoch);
      placement.reason = request.reason;
      this.#table.touchGroup(placement);
      listener?.placementChanged(placement.group);
    }
    return toBinary(
      PlaceGroupAnswerSchema,
      create(PlaceGroupAnswerSchema, {
        epoch: BigInt(placement.epoch),
        replicas: placement.desired.voters.map(BigInt),
      }),
    );
  }

  preferLeader(request: PreferLeader, listener: ControlListener | undefined): Outcome {
    const placement = this.#table.group(request.group);
    if (this.#table.cluster === undefined) return notFounded;
    if (placement === undefined) return invalid(`the cluster has no group ${request.group}`);
    const node = request.node === 0 ? undefined : request.node;
    if (node !== undefined && !placement.votesOn(node)) return notToHold(placement.group, node);
    if (placement.preferredLeader !== node) {
      placement.preferredLeader = node;
      this.#table.touchGroup(placement);
      listener?.placementChanged(placement.group);
    }
    return DONE;
  }

  setReplication({ replication }: SetReplication, listener: ControlListener | undefined): Outcome {
    const { cluster } = this.#table;
    if (cluster === undefined) return notFounded;
    const problem = replicationProblem(replication);
    if (problem) return problem;
    if (cluster.replication !== replication) {
      cluster.replication = replication;
      this.#table.touchCluster();
      listener?.replicationChanged();
    }
    return DONE;
  }

  changeSetting({ name, value }: ChangeSetting, listener: ControlListener | undefined): Outcome {
    if (this.#table.cluster === undefined) return notFounded;
    if (name === '' || Buffer.byteLength(name) > MAX_TEXT_BYTES) {
      return invalid(`the name of a setting has 1 to ${MAX_TEXT_BYTES} bytes`);
    }
    if (value !== undefined && Buffer.byteLength(value) > MAX_SETTING_BYTES) {
      return invalidSettings(name, `the value of a setting has at most ${MAX_SETTING_BYTES} bytes`);
    }
    const settings = this.#table.settings();
    if (settings.get(name) === value) return DONE;
    if (!settings.has(name) && settings.size >= MAX_SETTINGS) {
      return invalidSettings(name, `a cluster has at most ${MAX_SETTINGS} settings`);
    }
    this.#table.setSetting(name, value);
    listener?.settingChanged(name);
    return DONE;
  }

  /** Why the node cannot be one of the group's. */
  #refusal(placement: GroupPlacement, node: number): Failure | undefined {
    const member = this.#table.member(node);
    if (member === undefined || member.standing === 'left') return nodeNotFound(node, member);
    const isNew = !placement.desired.voters.some((replica) => nodeOf(replica) === node);
    return isNew && member.standing !== 'active' ? notStaying(member) : undefined;
  }
}
