/** A look into a queue. */
import {
  MessageState,
  type PeekedMessage,
  PeekedMessageSchema,
  QueueService,
} from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { count } from '../../arguments/kinds.ts';
import { argument, command, option, optionOr } from '../../arguments/spec.ts';
import { ExitCode } from '../../exit-codes.ts';
import { safeContent } from '../../output/content.ts';
import { humanTime } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { table } from '../../output/table.ts';
import { given, pageLimit, pageSize, pages } from '../call-fields.ts';
import { messageState } from './states.ts';

/** Most messages in one answer, by the contract. */
export const MAX_PEEKED_A_PAGE = 1_000;

/** Longest part of a payload in the table. */
const MAX_SHOWN_CHARACTERS = 60;

export const peek = command({
  name: 'peek',
  summary: 'Show messages without taking them.',
  description: 'Exits 1 when there is none of that state.',
  rpcs: [QueueService.method.peek],
  fills: { cursor: 'page after page' },
  examples: [['gomsg queue peek jobs --state dead', 'with why they died']],
  specs: {
    queue: argument('the queue'),
    state: option(messageState, 'which messages; ready ones unless given'),
    limit: optionOr(count, '10', 'stop after this many', { short: 'n' }),
    pageSize,
  },
  async run(context, { queue, state, limit, pageSize }) {
    const { client, output } = context;
    const listing = pages(async (cursor, most) => {
      const page = { ...pageLimit(pageSize, most, MAX_PEEKED_A_PAGE), cursor };
      const { messages, nextCursor } = await client.queue.peek(
        { queue, ...given({ state }), ...page },
        context.call(),
      );
      return { items: messages, nextCursor };
    }, limit);
    let shown = 0;
    for await (const messages of listing) {
      shown += messages.length;
      if (output.isJson) {
        await output.jsonLines(messages.map((message) => messageToJson(PeekedMessageSchema, message)));
      } else if (messages.length > 0) {
        await output.table(table(columns(state ?? MessageState.READY), messages));
      }
    }
    if (shown === 0) output.note('there is none');
    return shown > 0 ? ExitCode.done : ExitCode.no;
  },
});

/** What `due_at` means depends on the state. */
const DUE_TITLES: Readonly<Partial<Record<MessageState, string>>> = {
  [MessageState.DELAYED]: 'READY',
  [MessageState.IN_FLIGHT]: 'LEASE ENDS',
  [MessageState.DEAD]: 'DIED',
};

function columns(state: MessageState) {
  const dueTitle = DUE_TITLES[state];
  return [
    state === MessageState.IN_FLIGHT
      ? { title: 'DELIVERY', cell: (message: PeekedMessage) => message.deliveryId }
      : { title: 'MESSAGE', cell: (message: PeekedMessage) => message.messageId },
    { title: 'PRIORITY', align: 'right', cell: (message: PeekedMessage) => String(message.priority) },
    { title: 'DELIVERIES', align: 'right', cell: (message: PeekedMessage) => String(message.deliveries) },
    { title: 'PUSHED', cell: (message: PeekedMessage) => humanTime(message.pushedAt) },
    ...(dueTitle === undefined
      ? []
      : [{ title: dueTitle, cell: (message: PeekedMessage) => humanTime(message.dueAt) }]),
    ...(state === MessageState.DEAD
      ? [{ title: 'ERROR', cell: (message: PeekedMessage) => message.error }]
      : []),
    { title: 'PAYLOAD', cell: (message: PeekedMessage) => shortened(safeContent(message.payload)) },
  ] as const;
}

function shortened(text: string): string {
  return text.length <= MAX_SHOWN_CHARACTERS ? text : `${text.slice(0, MAX_SHOWN_CHARACTERS - 1)}…`;
}
