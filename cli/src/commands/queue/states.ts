import { MessageState } from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { choice } from '../../arguments/kinds.ts';

/** The states of a message, as they are typed. */
export const messageState = choice({
  ready: MessageState.READY,
  delayed: MessageState.DELAYED,
  'in-flight': MessageState.IN_FLIGHT,
  dead: MessageState.DEAD,
});
