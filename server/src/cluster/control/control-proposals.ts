/** Intentions about the cluster as proposals of the control group. They go through on its leader; elsewhere they fail. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type Admission,
  AdmissionSchema,
  AdmitNodeSchema,
  ChangeSettingSchema,
  FoundClusterSchema,
  MarkLeavingSchema,
  MarkLeftSchema,
  type NodeFactsSchema,
  PlaceGroupSchema,
  PreferLeaderSchema,
  RaiseLevelSchema,
  SetReplicationSchema,
  UpdateNodeSchema,
} from '../../gen/gomsg/internal/v1/control_pb.js';
import { MoveReason } from '../../gen/gomsg/v1/cluster_pb.js';
import { GomsgError } from '../../services/errors.ts';
import type { ServiceGroup } from '../../services/groups.ts';
import { controlMethod } from '../../state/control/method-numbers.ts';
import type { LeaderChange, MoveReason as MoveReasonName, PlacementChange } from '../placement/picture.ts';
import { evenRanges } from '../slot-map.ts';

/** How reasons are written. */
const moveReasons: Readonly<Record<MoveReasonName, MoveReason>> = {
  replication: MoveReason.REPLICATION,
  leaving: MoveReason.LEAVING,
  down: MoveReason.DOWN,
  labels: MoveReason.LABELS,
  count: MoveReason.COUNT,
  load: MoveReason.LOAD,
};

type Facts = MessageInitShape<typeof NodeFactsSchema>;

export interface Founding {
  readonly clusterId: string;
  readonly node: Facts;
  /** The same for every try of one founding. */
  readonly nonce: Uint8Array;
  /** Data groups; they get even ranges of slots. */
  readonly groups: number;
  readonly replication: number;
}

/** Every method rejects with a GomsgError: what the group refuses, or NOT_LEADER and the like where it is not led. */
export class ControlProposals {
  readonly #group: Pick<ServiceGroup, 'submit'>;

  constructor(group: Pick<ServiceGroup, 'submit'>) {
    this.#group = group;
  }

  /** @throws GomsgError ALREADY_EXISTS when another cluster was founded here */
  async found(founding: Founding): Promise<Admission> {
    const answer = await this.#submit(controlMethod.foundCluster, FoundClusterSchema, {
      ...founding,
      groups: evenRanges(founding.groups),
    });
    return decode(AdmissionSchema, answer);
  }

  /** @throws GomsgError ALREADY_EXISTS for an id that somebody has or had, CONDITION_FAILED for a node that is too old */
  async admit(node: Facts, nonce: Uint8Array): Promise<Admission> {
    const answer = await this.#submit(controlMethod.admitNode, AdmitNodeSchema, { node, nonce });
    return decode(AdmissionSchema, answer);
  }

  async update(change: MessageInitShape<typeof UpdateNodeSchema>): Promise<void> {
    await this.#submit(controlMethod.updateNode, UpdateNodeSchema, change);
  }

  /**
   * @param keepsReplication refuses also what would leave groups with fewer replicas
   * @throws GomsgError CONDITION_FAILED for the last node that stays
   */
  async markLeaving(node: number, keepsReplication: boolean): Promise<void> {
    await this.#submit(controlMethod.markLeaving, MarkLeavingSchema, { node, keepsReplication });
  }

  /** @throws GomsgError CONDITION_FAILED while a group is to have a replica on the node */
  async markLeft(node: number): Promise<void> {
    await this.#submit(controlMethod.markLeft, MarkLeftSchema, { node });
  }

  /** @throws GomsgError CONDITION_FAILED when the placement has changed meanwhile */
  async place({ group, expectedEpoch, nodes, reason }: PlacementChange): Promise<void> {
    await this.#submit(controlMethod.placeGroup, PlaceGroupSchema, {
      group,
      expectedEpoch: BigInt(expectedEpoch),
      nodes: [...nodes],
      reason: moveReasons[reason],
    });
  }

  /** @throws GomsgError CONDITION_FAILED when the node is not to hold the group any more */
  async preferLeader({ group, node }: Omit<LeaderChange, 'reason'>): Promise<void> {
    await this.#submit(controlMethod.preferLeader, PreferLeaderSchema, { group, node });
  }

  /** @throws GomsgError CONDITION_FAILED while a node does not apply the level */
  async raiseLevel(level: number): Promise<void> {
    await this.#submit(controlMethod.raiseLevel, RaiseLevelSchema, { level });
  }

  async setReplication(replication: number): Promise<void> {
    await this.#submit(controlMethod.setReplication, SetReplicationSchema, { replication });
  }

  /** `value` undefined removes the setting. */
  async changeSetting(name: string, value: string | undefined): Promise<void> {
    const request = value === undefined ? { name } : { name, value };
    await this.#submit(controlMethod.changeSetting, ChangeSettingSchema, request);
  }

  #submit<D extends DescMessage>(method: number, schema: D, init: MessageInitShape<D>): Promise<Uint8Array> {
    const request = create(schema, init);
    return new Promise((resolve, reject) => {
      this.#group.submit({
        method,
        payload: toBinary(schema, request),
        request,
        session: undefined,
        reply: { ok: resolve, fail: (failure) => reject(new GomsgError(failure)) },
      });
    });
  }
}

function decode<D extends DescMessage>(schema: D, answer: Uint8Array): MessageShape<D> {
  return fromBinary(schema, answer);
}
