/** Commands on many keys. */
import {
  type KeyValue,
  KeyValueSchema,
  KVLookupSchema,
  KVService,
  KVServiceDeletePatternResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { duration, size } from '../../arguments/kinds.ts';
import {
  type AnyCommand,
  argument,
  command,
  flag,
  option,
  optionalArgument,
  rest,
} from '../../arguments/spec.ts';
import { UsageError } from '../../errors.ts';
import { ExitCode } from '../../exit-codes.ts';
import { messageToJson } from '../../output/json.ts';
import { consistency, durationField, given, limit, pageLimit, pageSize, pages } from '../call-fields.ts';

const { method } = KVService;

/** Most keys in one call, by the contract. */
const MAX_KEYS_A_CALL = 10_000;

export const mget = command({
  name: 'mget',
  summary: 'Show the values of several keys, a line each: the key, a tab, the value.',
  description: 'Keys that do not exist are left out of text; JSON marks them. Exits 1 when none exists.',
  rpcs: [method.getMany],
  specs: { keys: rest('the keys'), consistency },
  async run(context, { keys, consistency }) {
    const { client, output } = context;
    let found = 0;
    for (let from = 0; from < keys.length; from += MAX_KEYS_A_CALL) {
      const { entries } = await client.kv.getMany(
        { keys: keys.slice(from, from + MAX_KEYS_A_CALL), ...given({ consistency }) },
        context.call(),
      );
      const existing = entries.filter((entry) => entry.found);
      found += existing.length;
      if (output.isJson) await output.jsonLines(entries.map((entry) => messageToJson(KVLookupSchema, entry)));
      else
        await output.contentLines(
          existing,
          ({ value }) => value,
          ({ key }) => `${key}\t`,
        );
    }
    return found > 0 ? ExitCode.done : ExitCode.no;
  },
});

export const mset = command({
  name: 'mset',
  summary: 'Store several keys.',
  rpcs: [method.setMany],
  fills: { entries: 'from the arguments, two for each key' },
  examples: [['gomsg kv mset name alice city paris', 'stores two keys']],
  specs: {
    pairs: rest('key, value, key, value …'),
    ttl: option(duration, 'how long the keys live; without it, until they are deleted'),
  },
  async run(context, { pairs, ttl }) {
    if (pairs.length % 2 !== 0) {
      throw new UsageError(
        `the key ${JSON.stringify(pairs.at(-1))} has no value`,
        'Give a value after each key.',
      );
    }
    const entries = [];
    for (let at = 0; at < pairs.length; at += 2) {
      entries.push({ key: pairs[at]!, value: Buffer.from(pairs[at + 1]!), ...durationField('ttl', ttl) });
    }
    const { output } = context;
    for (let from = 0; from < entries.length; from += MAX_KEYS_A_CALL) {
      const some = entries.slice(from, from + MAX_KEYS_A_CALL);
      const { versions } = await context.client.kv.setMany({ entries: some }, context.call());
      if (output.isJson) {
        await output.jsonLines(some.map(({ key }, at) => ({ key, version: versions[at] ?? null })));
      }
    }
    if (!output.isJson) await output.line('OK');
    return ExitCode.done;
  },
});

export const keys = command({
  name: 'keys',
  summary: 'List the keys that match a pattern, in byte order.',
  description:
    'In patterns * is any run of characters, ? one, [abc] [a-z] [^a] one of a set, \\ takes the next literally.',
  rpcs: [method.keys],
  fills: { cursor: 'page after page' },
  examples: [["gomsg kv keys 'user:*'", 'quoted, so that the shell leaves the pattern alone']],
  specs: { pattern: optionalArgument('the pattern; * unless given'), limit, pageSize, consistency },
  async run(context, { pattern = '', limit, pageSize, consistency }) {
    const { client, output } = context;
    const listing = pages(async (cursor, most) => {
      const page = { ...pageLimit(pageSize, most, MAX_KEYS_A_CALL), cursor };
      const { keys, nextCursor } = await client.kv.keys(
        { pattern, ...page, ...given({ consistency }) },
        context.call(),
      );
      return { items: keys, nextCursor };
    }, limit);
    for await (const keys of listing) {
      if (output.isJson) await output.jsonLines(keys.map((key) => ({ key })));
      else
        await output.contentLines(
          keys,
          (key) => Buffer.from(key),
          () => '',
        );
    }
    return ExitCode.done;
  },
});

export const scan = command({
  name: 'scan',
  summary: 'Show keys and values of a prefix or range in byte order, a line each: the key, a tab, the value.',
  rpcs: [method.scan],
  fills: { cursor: 'page after page' },
  examples: [
    ['gomsg kv scan user:', 'every key that begins with user:'],
    ['gomsg kv scan --start a --end b --limit 10', 'a range'],
  ],
  specs: {
    prefix: optionalArgument('only keys that begin with this'),
    start: option({ placeholder: 'key', parse: String }, 'first key of the range'),
    end: option({ placeholder: 'key', parse: String }, 'end of the range, itself not in it'),
    limit,
    pageSize,
    maxBytes: option(size, 'ask the server for at most this many bytes at a time'),
    keysOnly: flag('leave values out'),
    reverse: flag('from the last key to the first'),
    consistency,
  },
  async run(context, { prefix, start, end, limit, pageSize, maxBytes, keysOnly, reverse, consistency }) {
    const { client, output } = context;
    const listing = pages(async (cursor, most) => {
      const page = { ...pageLimit(pageSize, most, MAX_KEYS_A_CALL), ...given({ maxBytes }), cursor };
      const range = given({ prefix, start, end, consistency });
      const answer = await client.kv.scan({ ...range, ...page, keysOnly, reverse }, context.call());
      return { items: answer.entries, nextCursor: answer.nextCursor };
    }, limit);
    for await (const entries of listing) {
      if (output.isJson) await output.jsonLines(entries.map((entry) => entryJson(entry, keysOnly)));
      else if (keysOnly)
        await output.contentLines(
          entries,
          ({ key }) => Buffer.from(key),
          () => '',
        );
      else
        await output.contentLines(
          entries,
          ({ value }) => value,
          ({ key }) => `${key}\t`,
        );
    }
    return ExitCode.done;
  },
});

/** Without values the field is left out: an empty one would look like an empty value. */
function entryJson(entry: KeyValue, keysOnly: boolean) {
  const json = messageToJson(KeyValueSchema, entry);
  if (!keysOnly) return json;
  const { value: _, ...rest } = json;
  return rest;
}

export const delPattern = command({
  name: 'del-pattern',
  aliases: ['delpattern'],
  summary: 'Remove every key that matches a pattern; shows how many.',
  description: 'Exits 1 when none matched.',
  rpcs: [method.deletePattern],
  examples: [["gomsg kv del-pattern 'session:*'", 'removes all sessions']],
  specs: { pattern: argument('the pattern, as for keys; * removes everything') },
  async run(context, { pattern }) {
    const answer = await context.client.kv.deletePattern({ pattern }, context.call());
    await context.output.answer(KVServiceDeletePatternResponseSchema, answer, () => String(answer.deleted));
    return answer.deleted > 0n ? ExitCode.done : ExitCode.no;
  },
});

export const manyKeysCommands: readonly AnyCommand[] = [mget, mset, keys, scan, delPattern];
