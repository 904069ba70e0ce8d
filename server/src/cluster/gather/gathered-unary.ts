/** A unary method as every node serves it: gathered from the nodes that lead the groups it is about. */
import type { DescMessage, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import { toFailure, unary } from '../../services/decode.ts';
import type { GroupRouter } from '../../services/groups.ts';
import type { UnaryMethod } from '../../services/method.ts';
import { gather, type Nodes, type PartAnswer } from './gather.ts';

/** What gathered methods are made of. */
export interface GatherDeps extends Nodes {
  readonly router: GroupRouter;
  /** Largest answer that can travel. */
  readonly maxFrameBytes: number;
}

/** How one call is split up and put together again. */
export interface Plan {
  /** Ids of the groups that it is about, each once. */
  readonly groups: readonly number[];
  /** The caller is content with what any replica has. */
  readonly isStale: boolean;
  /** The encoded request for some of the groups. */
  readonly requestFor: (groups: readonly number[]) => Uint8Array;
  /** The encoded response out of those of several parts. @throws GomsgError */
  readonly merge: (answers: readonly PartAnswer[]) => Uint8Array;
}

/**
 * @param service answers a part on this node
 * @param planOf throws `GomsgError` for a request that is to be refused
 */
export function gatheredUnary<I extends DescMessage, O extends DescMessage>(
  desc: DescMethodUnary<I, O>,
  service: UnaryMethod,
  planOf: (request: MessageShape<I>) => Plan,
  nodes: Nodes,
): UnaryMethod {
  return unary(desc, (request, { payload, context, reply }) => {
    const { groups, isStale, requestFor, merge } = planOf(request);
    if (groups.length === 0) {
      service.handle(payload, context, reply); // There is nothing to ask of anyone.
      return;
    }
    gather(
      { method: service, groups, isStale, requestFor, context },
      nodes,
      (answers) => {
        let response: Uint8Array;
        try {
          const [only] = answers;
          response = answers.length === 1 ? only!.response : merge(answers);
        } catch (error) {
          reply.fail(toFailure(error));
          return;
        }
        reply.ok(response);
      },
      (failure) => reply.fail(failure),
    );
  });
}
