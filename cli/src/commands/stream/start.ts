/** Places in a topic, as they are typed: start, end, an offset, a time. */
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { parseMoment, uint64, type ValueKind } from '../../arguments/kinds.ts';
import { UsageError } from '../../errors.ts';

export type StartInit =
  | { case: 'earliest' | 'latest'; value: true }
  | { case: 'offset'; value: bigint }
  | { case: 'time'; value: ReturnType<typeof timestampFromDate> };

export const start: ValueKind<{ position: StartInit }> = {
  placeholder: 'start|end|offset|time',
  parse(value) {
    if (value === 'start' || value === 'earliest') return { position: { case: 'earliest', value: true } };
    if (value === 'end' || value === 'latest') return { position: { case: 'latest', value: true } };
    if (/^\d{1,20}$/.test(value)) return { position: { case: 'offset', value: uint64.parse(value) } };
    const date = parseMoment(value, Date.now());
    if (date !== undefined) return { position: { case: 'time', value: timestampFromDate(date) } };
    throw new UsageError(
      `expected start, end, an offset, or a time such as 2026-01-31T12:00:00Z or 1h (ago), not ${JSON.stringify(value)}`,
    );
  },
};
