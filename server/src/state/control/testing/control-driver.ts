/** Drives a control machine command by command over a model store, as the leader or as a replica. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  AdmissionSchema,
  AdmitNodeSchema,
  FoundClusterSchema,
  MarkLeavingSchema,
  MarkLeftSchema,
  PlaceGroupAnswerSchema,
  PlaceGroupSchema,
} from '../../../gen/gomsg/internal/v1/control_pb.js';
import { type Failure, isFailure, type Outcome } from '../../failure.ts';
import { ModelStore } from '../../testing/model-store.ts';
import { ControlMachine } from '../control-machine.ts';
import { CONTROL_GROUP } from '../limits.ts';
import { controlMethod } from '../method-numbers.ts';

/** Slots in halves: two data groups. */
export const TWO_GROUPS = [
  { first: 0, last: 8191 },
  { first: 8192, last: 16383 },
];

export interface Founding {
  readonly clusterId: string;
  readonly node: Partial<ReturnType<typeof facts>> & { readonly level?: number };
  readonly nonce: Uint8Array;
  readonly groups: typeof TWO_GROUPS;
  readonly replication: number;
}

export class ControlDriver {
  readonly store = new ModelStore();
  machine: ControlMachine;
  now_ms = 1_000_000;
  #index = 0;
  readonly #asReplica: boolean;

  constructor(asReplica = false) {
    this.#asReplica = asReplica;
    this.machine = this.#build();
  }

  /** One command in an entry of its own. */
  run<D extends DescMessage>(method: number, schema: D, init: MessageInitShape<D>): Outcome {
    const request = create(schema, init);
    const payload = toBinary(schema, request);
    const context = { index: ++this.#index, stamp_ms: this.now_ms };
    const outcome = this.machine.apply(
      { method, payload, request: this.#asReplica ? undefined : request },
      context,
    );
    this.machine.endEntry();
    return outcome;
  }

  /** Founds a cluster of node `node1` with two groups. */
  found(init: Partial<Founding> = {}) {
    return answer(
      AdmissionSchema,
      this.run(controlMethod.foundCluster, FoundClusterSchema, {
        clusterId: 'cluster',
        node: facts('node1'),
        nonce: Buffer.from('node1'),
        groups: TWO_GROUPS,
        replication: 3,
        ...init,
      }),
    );
  }

  admit(nodeId: string, nonce = nodeId) {
    return answer(
      AdmissionSchema,
      this.run(controlMethod.admitNode, AdmitNodeSchema, { node: facts(nodeId), nonce: Buffer.from(nonce) }),
    );
  }

  /** Places a group from whatever epoch its placement has. */
  place(group: number, nodes: number[]) {
    const expectedEpoch = BigInt(this.machine.placement(group)?.epoch ?? 0);
    return answer(
      PlaceGroupAnswerSchema,
      this.run(controlMethod.placeGroup, PlaceGroupSchema, { group, nodes, expectedEpoch }),
    );
  }

  leave(node: number, keepsReplication = false): Outcome {
    return this.run(controlMethod.markLeaving, MarkLeavingSchema, { node, keepsReplication });
  }

  left(node: number): Outcome {
    return this.run(controlMethod.markLeft, MarkLeftSchema, { node });
  }

  /** Saves, and goes on with a new machine over the same store. */
  restart(): void {
    this.machine.save();
    this.machine = this.#build();
  }

  #build(): ControlMachine {
    const machine = new ControlMachine(this.store, CONTROL_GROUP);
    machine.load();
    return machine;
  }
}

export function facts(nodeId: string) {
  return { nodeId, address: `${nodeId}:9000`, hostLabel: '', version: '1.0.0' };
}

function answer<D extends DescMessage>(schema: D, outcome: Outcome): MessageShape<D> | Failure {
  return isFailure(outcome) ? outcome : fromBinary(schema, outcome);
}
