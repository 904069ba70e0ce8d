/**
 * The methods that are about several groups, as any node of a cluster serves them. Calls about one name are passed on
 * whole (forwarding.ts); these are split up by the nodes that lead the groups, each answers its part as the same rpc
 * with the groups named beside it, and never passes it on again.
 */
import type { DescMethod } from '@bufbuild/protobuf';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import type { Method, ServerStreamingMethod, UnaryMethod } from '../../services/method.ts';
import { gatheredListing } from './gathered-listing.ts';
import { gatheredLookups } from './gathered-lookups.ts';
import { gatheredRemoval } from './gathered-removal.ts';
import type { GatherDeps } from './gathered-unary.ts';
import { gatheredWatch } from './gathered-watch.ts';
import { keysListing, queueListing, scanListing, topicListing } from './listings.ts';

const kv = KVService.method;

/** Those of the methods that have to be gathered; all others are not among them. */
export function gathering(methods: readonly Method[], deps: GatherDeps): Method[] {
  const keys = gatheredListing(keysListing, unaryOf(methods, keysListing.desc), deps);
  return [
    keys,
    gatheredListing(scanListing, unaryOf(methods, scanListing.desc), deps),
    gatheredListing(queueListing, unaryOf(methods, queueListing.desc), deps),
    gatheredListing(topicListing, unaryOf(methods, topicListing.desc), deps),
    gatheredLookups(unaryOf(methods, kv.getMany), deps),
    gatheredRemoval(keys, deps.router),
    gatheredWatch(streamOf(methods, kv.watch), deps),
  ];
}

function unaryOf(methods: readonly Method[], desc: DescMethod): UnaryMethod {
  const method = methods.find((candidate) => candidate.desc === desc);
  if (method?.kind !== 'unary') throw new Error(`no service has ${desc.name}`);
  return method;
}

function streamOf(methods: readonly Method[], desc: DescMethod): ServerStreamingMethod {
  const method = methods.find((candidate) => candidate.desc === desc);
  if (method?.kind !== 'server_streaming') throw new Error(`no service has ${desc.name}`);
  return method;
}
