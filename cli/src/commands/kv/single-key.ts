/** Commands on one key. */
import {
  KVService,
  KVServiceDeleteResponseSchema,
  KVServiceExistsResponseSchema,
  KVServiceExpireResponseSchema,
  KVServiceGetResponseSchema,
  KVServiceIncrementResponseSchema,
  KVServicePersistResponseSchema,
  KVServiceSetResponseSchema,
  KVServiceTTLResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { duration, sint64, uint64 } from '../../arguments/kinds.ts';
import {
  type AnyCommand,
  argument,
  command,
  flag,
  option,
  optionalArgument,
  rest,
} from '../../arguments/spec.ts';
import type { CommandContext } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { ExitCode } from '../../exit-codes.ts';
import { safeContent } from '../../output/content.ts';
import { humanDuration, humanTime } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { consistency, durationField, given } from '../call-fields.ts';
import { contentArgument, contentFile, readContent } from '../content-source.ts';

const { method } = KVService;

export const set = command({
  name: 'set',
  aliases: ['put'],
  summary: 'Store a value under a key.',
  rpcs: [method.set],
  examples: [
    ['gomsg kv set name alice', 'stores alice'],
    ['gomsg kv set session:42 - --ttl 30m < session.json', 'stores a file for half an hour'],
    ['gomsg kv set lock me --if-absent --ttl 10s', 'exits 1 when somebody else has it'],
  ],
  specs: {
    key: argument('the key'),
    value: contentArgument('value'),
    file: contentFile('value'),
    ttl: option(duration, 'how long the key lives; without it, until it is deleted'),
    ifAbsent: flag('only when the key does not exist'),
    ifPresent: flag('only when the key exists'),
    ifVersion: option(uint64, 'only when the key has this version'),
    returnPrevious: flag('show the value as it was before'),
    keepTtl: flag('keep the expiry that the key has'),
  },
  async run(context, { key, value, file, ttl, ifAbsent, ifPresent, ifVersion, returnPrevious, keepTtl }) {
    const { client, output } = context;
    const answer = await client.kv.set(
      {
        key,
        value: await readContent(context, 'value', value, file),
        ...durationField('ttl', ttl),
        condition: condition(ifAbsent, ifPresent, ifVersion),
        returnPrevious,
        keepTtl,
      },
      context.call(),
    );
    await output.answer(KVServiceSetResponseSchema, answer, () => {
      if (!returnPrevious) return 'OK';
      return answer.previous === undefined ? '(none)' : safeContent(answer.previous.value);
    });
    return ExitCode.done;
  },
});

function condition(ifAbsent: boolean, ifPresent: boolean, ifVersion: bigint | undefined) {
  const chosen = [ifAbsent, ifPresent, ifVersion !== undefined].filter(Boolean).length;
  if (chosen > 1) throw new UsageError('--if-absent, --if-present and --if-version exclude each other');
  if (ifAbsent) return { case: 'ifAbsent', value: true } as const;
  if (ifPresent) return { case: 'ifPresent', value: true } as const;
  if (ifVersion !== undefined) return { case: 'ifVersion', value: ifVersion } as const;
  return { case: undefined };
}

export const get = command({
  name: 'get',
  summary: 'Show the value of a key.',
  description:
    'Into a pipe or file it writes the exact bytes, with no line end added. Exits 1 when there is no such key.',
  rpcs: [method.get],
  examples: [
    ['gomsg kv get name', 'shows the value'],
    ['gomsg kv get photo > photo.jpg', 'writes its exact bytes'],
    ['gomsg kv get name -o json', 'with its version and expiry'],
  ],
  specs: { key: argument('the key'), consistency },
  async run(context, { key, consistency }) {
    const answer = await context.client.kv.get({ key, ...given({ consistency }) }, context.call());
    const { output } = context;
    if (output.isJson) await output.json(messageToJson(KVServiceGetResponseSchema, answer));
    else await output.content(answer.value);
    return ExitCode.done;
  },
});

export const exists = command({
  name: 'exists',
  summary: 'Tell whether a key exists, also by the exit code: 0 or 1.',
  rpcs: [method.exists],
  specs: { key: argument('the key'), consistency },
  async run(context, { key, consistency }) {
    const answer = await context.client.kv.exists({ key, ...given({ consistency }) }, context.call());
    await context.output.answer(KVServiceExistsResponseSchema, answer, () => String(answer.exists));
    return answer.exists ? ExitCode.done : ExitCode.no;
  },
});

/** Deletes under way at once. */
const MAX_DELETES_IN_FLIGHT = 100;

export const del = command({
  name: 'del',
  aliases: ['delete', 'rm'],
  summary: 'Remove keys; shows how many of them existed.',
  description:
    'Exits 1 when none of them existed. With --output json it writes a line for each key, in their order.',
  rpcs: [method.delete],
  specs: {
    key: rest('the keys'),
    ifVersion: option(uint64, 'only when the key has this version; for one key'),
    returnPrevious: flag('show the values as they were'),
  },
  async run(context, { key: keys, ifVersion, returnPrevious }) {
    if (ifVersion !== undefined && keys.length > 1) throw new UsageError('--if-version is for one key');
    const { client, output } = context;
    let deleted = 0;
    for (let from = 0; from < keys.length; from += MAX_DELETES_IN_FLIGHT) {
      const some = keys.slice(from, from + MAX_DELETES_IN_FLIGHT);
      const answers = await Promise.all(
        some.map((key) => client.kv.delete({ key, ...given({ ifVersion }), returnPrevious }, context.call())),
      );
      deleted += answers.filter((answer) => answer.deleted).length;
      if (output.isJson) {
        await output.jsonLines(
          answers.map((answer, at) => ({
            key: some[at]!,
            ...messageToJson(KVServiceDeleteResponseSchema, answer),
          })),
        );
      } else if (returnPrevious) {
        const previous = answers.flatMap((answer) => answer.previous ?? []);
        await output.contentLines(
          previous,
          ({ value }) => value,
          ({ key }) => `${key}\t`,
        );
      }
    }
    if (!output.isJson && !returnPrevious) await output.line(String(deleted));
    return deleted > 0 ? ExitCode.done : ExitCode.no;
  },
});

async function increment(context: CommandContext, key: string, delta: bigint): Promise<ExitCode> {
  const answer = await context.client.kv.increment({ key, delta }, context.call());
  await context.output.answer(KVServiceIncrementResponseSchema, answer, () => String(answer.value));
  return ExitCode.done;
}

export const incr = command({
  name: 'incr',
  aliases: ['incrby'],
  summary: 'Add to the integer under a key, and show the sum.',
  rpcs: [method.increment],
  specs: {
    key: argument('the key; one that does not exist counts as 0'),
    delta: optionalArgument('how much; 1 unless given', sint64),
  },
  run: (context, { key, delta = 1n }) => increment(context, key, delta),
});

export const decr = command({
  name: 'decr',
  aliases: ['decrby'],
  summary: 'Subtract from the integer under a key, and show the difference.',
  rpcs: [method.increment],
  specs: {
    key: argument('the key; one that does not exist counts as 0'),
    delta: optionalArgument('how much; 1 unless given', sint64),
  },
  run: (context, { key, delta = 1n }) => increment(context, key, -delta),
});

export const expire = command({
  name: 'expire',
  summary: 'Let a key expire after a time.',
  rpcs: [method.expire],
  examples: [['gomsg kv expire session:42 30m', 'half an hour from now']],
  specs: { key: argument('the key'), ttl: argument('how long it lives from now', duration) },
  async run(context, { key, ttl }) {
    const answer = await context.client.kv.expire({ key, ...durationField('ttl', ttl) }, context.call());
    await context.output.answer(
      KVServiceExpireResponseSchema,
      answer,
      () => `expires ${humanTime(answer.expiresAt)}`,
    );
    return ExitCode.done;
  },
});

export const persist = command({
  name: 'persist',
  summary: 'Take the expiry off a key, so that it stays.',
  description: 'Exits 1 when the key had no expiry.',
  rpcs: [method.persist],
  specs: { key: argument('the key') },
  async run(context, { key }) {
    const answer = await context.client.kv.persist({ key }, context.call());
    await context.output.answer(KVServicePersistResponseSchema, answer, () =>
      answer.changed ? 'OK' : 'the key had no expiry',
    );
    return answer.changed ? ExitCode.done : ExitCode.no;
  },
});

export const ttl = command({
  name: 'ttl',
  summary: 'Show how long a key still lives.',
  rpcs: [method.tTL],
  specs: { key: argument('the key'), consistency },
  async run(context, { key, consistency }) {
    const answer = await context.client.kv.tTL({ key, ...given({ consistency }) }, context.call());
    await context.output.answer(KVServiceTTLResponseSchema, answer, () =>
      humanDuration(answer.ttl, 'does not expire'),
    );
    return ExitCode.done;
  },
});

export const singleKeyCommands: readonly AnyCommand[] = [
  set,
  get,
  exists,
  del,
  incr,
  decr,
  expire,
  persist,
  ttl,
];
