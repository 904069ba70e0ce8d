/** Checks of stream requests that need nothing but the request. */
import type { TopicSettings } from '../../gen/gomsg/v1/stream_pb.js';
import { invalidRequest } from '../decode.ts';
import { checkDuration } from '../durations.ts';
import { checkName } from '../names.ts';

export function checkTopic(name: string): void {
  checkName(name, 'topic');
}

/** A consumer or group. */
export function checkConsumer(name: string): void {
  checkName(name, 'consumer');
}

/** Number of partitions is the machine's to check, since Configure compares it with what there is. */
export function checkSettings(settings: TopicSettings | undefined): void {
  checkDuration(settings?.retentionAge, 'retention_age', { min_ms: 0 });
}

/**
 * A bounded number where 0 stands for the default.
 * @throws GomsgError INVALID_REQUEST above `max`
 */
export function boundedOr(value: number, field: string, whenZero: number, max: number): number {
  if (value > max) throw invalidRequest(field, `${field} is ${value}; at most ${max} is allowed`);
  return value === 0 ? whenZero : value;
}
