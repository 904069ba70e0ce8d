/** Where a subscription or a seek begins. */
import type { StreamStart } from '../../gen/gomsg/v1/stream_pb.js';
import type { Failure } from '../failure.ts';
import type { StateStore } from '../machine.ts';
import { offsetOutOfRange } from './failures.ts';
import { toSafeNumber } from './numbers.ts';
import { offsetAtTime } from './rows.ts';
import type { PartitionView } from './topic.ts';

/** What an unset start means. */
export type DefaultStart = 'earliest' | 'latest';

/** The only partition of a topic that is about to be created. */
export const emptyPartition: PartitionView = {
  number: 0,
  rows: '',
  startOffset: 0,
  endOffset: 0,
  firstStamp_ms: 0,
  lastStamp_ms: 0,
  bytes: 0,
};

/** The offset that a start means in one partition, or OFFSET_OUT_OF_RANGE. */
export function startOffsetIn(
  store: StateStore,
  topic: string,
  partition: PartitionView,
  start: StreamStart | undefined,
  whenUnset: DefaultStart,
): number | Failure {
  const position = start?.position;
  switch (position?.case) {
    case 'earliest':
      return partition.startOffset;
    case 'latest':
      return partition.endOffset;
    case 'offset': {
      const offset = toSafeNumber(position.value);
      if (offset >= partition.startOffset && offset <= partition.endOffset) return offset;
      return offsetOutOfRange(topic, partition, offset);
    }
    case 'time':
      return offsetAtTime(store, partition, timestampToMs(position.value));
    default:
      return whenUnset === 'earliest' ? partition.startOffset : partition.endOffset;
  }
}

/** Unix milliseconds, rounded up: nothing was published between two of them. */
export function timestampToMs(time: { readonly seconds: bigint; readonly nanos: number }): number {
  return Number(time.seconds) * 1000 + Math.ceil(time.nanos / 1e6);
}
