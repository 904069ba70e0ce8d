/** GetMany: every key looked up where its group is led, and answered in the order asked. */
import { create, toBinary } from '@bufbuild/protobuf';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { GomsgError } from '../../services/errors.ts';
import { checkKeyCount } from '../../services/kv/check.ts';
import { answerTooLarge } from '../../services/kv/many-keys.ts';
import type { UnaryMethod } from '../../services/method.ts';
import { fieldsOf, messageOf } from './fields.ts';
import type { PartAnswer } from './gather.ts';
import { type GatherDeps, gatheredUnary } from './gathered-unary.ts';

const { getMany } = KVService.method;

export function gatheredLookups(service: UnaryMethod, deps: GatherDeps): UnaryMethod {
  return gatheredUnary(
    getMany,
    service,
    ({ keys, consistency }) => {
      checkKeyCount(keys.length);
      const positions = new Map<number, number[]>();
      keys.forEach((key, position) => {
        const { id } = deps.router.groupOf(key);
        const known = positions.get(id);
        if (known === undefined) positions.set(id, [position]);
        else known.push(position);
      });
      const positionsIn = (groups: readonly number[]): number[] =>
        groups.flatMap((group) => positions.get(group)!).sort((a, b) => a - b);
      return {
        groups: [...positions.keys()],
        isStale: consistency === Consistency.STALE,
        requestFor: (groups) => {
          const part = { keys: positionsIn(groups).map((position) => keys[position]!), consistency };
          return toBinary(getMany.input, create(getMany.input, part));
        },
        merge: (answers) => merged(answers, positionsIn, keys.length, deps.maxFrameBytes),
      };
    },
    deps,
  );
}

function merged(
  answers: readonly PartAnswer[],
  positionsIn: (groups: readonly number[]) => readonly number[],
  count: number,
  maxFrameBytes: number,
): Uint8Array {
  const entries = new Array<Uint8Array>(count);
  let bytes = 0;
  for (const { groups, response } of answers) {
    const found = fieldsOf(response);
    const positions = positionsIn(groups);
    if (found.length !== positions.length) {
      throw new Error(`${positions.length} keys were asked for, ${found.length} were answered`);
    }
    positions.forEach((position, i) => {
      entries[position] = found[i]!.bytes;
      bytes += found[i]!.bytes.length;
    });
  }
  if (bytes > maxFrameBytes) throw new GomsgError(answerTooLarge(maxFrameBytes));
  return messageOf(entries);
}
