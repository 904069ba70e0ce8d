/** Changes as they happen. */
import {
  KVService,
  type WatchEvent,
  WatchEventSchema,
  WatchEventType,
} from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { base64, count, uint64 } from '../../arguments/kinds.ts';
import { command, flag, option, optionalArgument } from '../../arguments/spec.ts';
import { UsageError } from '../../errors.ts';
import { ExitCode } from '../../exit-codes.ts';
import { humanEnum } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { given } from '../call-fields.ts';
import { untilInterrupted } from '../until-interrupted.ts';

export const watch = command({
  name: 'watch',
  summary: 'Show changes of a key or prefix as they happen, until Ctrl-C.',
  description:
    'A line each: set, delete or expire, the key, and the value. In JSON the last event of what came together carries the resumeToken to go on behind it.',
  rpcs: [KVService.method.watch],
  examples: [
    ['gomsg kv watch --prefix user:', 'every key that begins with user:'],
    ['gomsg kv watch', 'every key'],
  ],
  specs: {
    key: optionalArgument('the key; all keys unless given'),
    prefix: option({ placeholder: 'prefix', parse: String }, 'every key that begins with this'),
    fromRevision: option(uint64, 'begin with this revision instead of now'),
    resumeToken: option(base64, 'go on behind the event that came with this token'),
    keysOnly: flag('leave values out'),
    count: option(count, 'end after this many changes', { short: 'n' }),
  },
  async run(
    context,
    { key, prefix = '', fromRevision, resumeToken, keysOnly, count = Number.POSITIVE_INFINITY },
  ) {
    if (key !== undefined && prefix !== '') throw new UsageError('a key and --prefix exclude each other');
    const { output } = context;
    const target =
      key !== undefined
        ? ({ case: 'key', value: key } as const)
        : ({ case: 'prefix', value: prefix } as const);
    const responses = context.client.kv.watch(
      { target, ...given({ fromRevision, resumeToken }), keysOnly },
      context.stream(),
    );
    let left = count;
    await untilInterrupted(context.signal, responses, async (response) => {
      if (response.subscribed) output.note(`watching from revision ${response.revision}; Ctrl-C ends`);
      const events = response.events.slice(0, left);
      left -= events.length;
      if (output.isJson) {
        const lines = events.map((event) => eventJson(event, keysOnly));
        const last = lines.pop();
        // Cut short by --count, the token would skip what was not shown.
        const token =
          events.length === response.events.length
            ? { resumeToken: Buffer.from(response.resumeToken).toString('base64') }
            : {};
        if (last !== undefined) await output.jsonLines([...lines, { ...last, ...token }]);
      } else {
        await output.contentLines(
          events,
          ({ value }) => value,
          ({ type, key }) =>
            `${humanEnum(WatchEventType, type)}\t${key}${hasValue(type, keysOnly) ? '\t' : ''}`,
        );
      }
      return left > 0;
    });
    return ExitCode.done;
  },
});

function hasValue(type: WatchEventType, keysOnly: boolean): boolean {
  return type === WatchEventType.SET && !keysOnly;
}

function eventJson(event: WatchEvent, keysOnly: boolean) {
  const { value, ...json } = messageToJson(WatchEventSchema, event);
  return hasValue(event.type, keysOnly) && value !== undefined ? { ...json, value } : json;
}
