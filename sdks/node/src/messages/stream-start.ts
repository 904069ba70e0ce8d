/** Where reading begins. */
import { create } from '@bufbuild/protobuf';
import * as input from '../faces/input.ts';
import { type StreamStart as Place, StreamStartSchema } from '../gen/gomsg/v1/stream_pb.js';

/**
 * `earliest` is the oldest message that is kept, `latest` is behind the newest; an offset counts in every partition
 * that is asked for; a time is that of the first message published at or after it.
 */
export type StreamStart =
  | 'earliest'
  | 'latest'
  | { readonly offset: number | bigint }
  | { readonly time: input.Moment };

const NAMES: ReadonlySet<string> = new Set(['offset', 'time']);

export function streamStart(value: unknown, method: string, parameter: string): Place {
  if (value === 'earliest') return create(StreamStartSchema, { position: { case: 'earliest', value: true } });
  if (value === 'latest') return create(StreamStartSchema, { position: { case: 'latest', value: true } });
  if (typeof value !== 'object' || value === null) {
    const given = typeof value === 'string' ? JSON.stringify(value) : input.described(value);
    const problem = `must be 'earliest', 'latest', { offset } or { time }, not ${given}`;
    throw input.invalid(method, parameter, problem);
  }
  const { offset, time } = input.fields(NAMES, value, method, parameter);
  if ((offset === undefined) === (time === undefined)) {
    throw input.invalid(method, parameter, 'must have an offset or a time, and not both');
  }
  if (offset !== undefined) {
    const at = input.uint64(offset, method, `${parameter}.offset`);
    return create(StreamStartSchema, { position: { case: 'offset', value: at } });
  }
  const at = input.timestamp(time, method, `${parameter}.time`);
  return create(StreamStartSchema, { position: { case: 'time', value: at } });
}
