import type { UnaryCall } from './decode.ts';
import type { Proposal } from './groups.ts';

/** A request that is the command as it came, with the machine's answer as the response. */
export function proposalOf(request: Proposal['request'], call: UnaryCall): Proposal {
  return {
    method: call.number,
    payload: call.payload,
    request,
    session: call.context.session,
    reply: call.reply,
  };
}
