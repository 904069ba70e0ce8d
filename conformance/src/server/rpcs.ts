/** Which rpc a method of the SDKs calls, read off the contracts. */
import { type DescMethod, getOption } from '@bufbuild/protobuf';
import { method as methodOption } from '@gomsg/client/gen/gomsg/sdk/v1/options_pb.js';
import { ClusterService } from '@gomsg/client/gen/gomsg/v1/cluster_pb.js';
import { KVService } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { PipelineService } from '@gomsg/client/gen/gomsg/v1/pipeline_pb.js';
import { QueueService } from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { StreamService } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';

export interface Rpc {
  readonly desc: DescMethod;
  /** Its number in the pipeline. */
  readonly number: number;
}

const SERVICES = { kv: KVService, queue: QueueService, stream: StreamService, cluster: ClusterService };

const byNumber = new Map<number, Rpc>();
const byFace = new Map<string, Rpc>();
for (const [name, service] of [...Object.entries(SERVICES), ['pipeline', PipelineService] as const]) {
  for (const desc of service.methods) {
    const { number, faces } = getOption(desc, methodOption);
    const rpc = { desc, number };
    byNumber.set(number, rpc);
    for (const face of faces) byFace.set(`${name}.${face.name}`, rpc);
  }
}

export function rpcOfNumber(number: number): Rpc | undefined {
  return byNumber.get(number);
}

/** `kv.set_ttl` calls `gomsg.v1.KVService/Set`. */
export function rpcOfFace(face: string): Rpc | undefined {
  return byFace.get(face);
}
