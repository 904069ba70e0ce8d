/** Settings of a queue as the machine keeps them. Defaults are those of the contract (`QueueSettings`). */
import { create } from '@bufbuild/protobuf';
import {
  type QueueSettings as QueueSettingsMessage,
  QueueSettingsSchema,
} from '../../gen/gomsg/v1/queue_pb.js';
import { durationToMs, msToDuration } from '../durations.ts';

/** Times in milliseconds. */
export interface QueueSettings {
  readonly lease_ms: number;
  /** 0 = unlimited. */
  readonly maxDeliveries: number;
  readonly retryBackoff_ms: number;
  readonly retryBackoffMax_ms: number;
  /** 0 = forever. */
  readonly messageTtl_ms: number;
  /** 0 = forever. */
  readonly deadLetterTtl_ms: number;
  /** 0 = unlimited. */
  readonly maxMessages: number;
  /** 0 = unlimited. */
  readonly maxBytes: number;
  readonly dedupWindow_ms: number;
}

const MINUTE_MS = 60_000;

export const defaultSettings: QueueSettings = {
  lease_ms: 30_000,
  maxDeliveries: 16,
  retryBackoff_ms: 0,
  retryBackoffMax_ms: 5 * MINUTE_MS,
  messageTtl_ms: 0,
  deadLetterTtl_ms: 14 * 24 * 60 * MINUTE_MS,
  maxMessages: 0,
  maxBytes: 0,
  dedupWindow_ms: 5 * MINUTE_MS,
};

/** `base` with every field that `given` sets. */
export function mergeSettings(base: QueueSettings, given: QueueSettingsMessage | undefined): QueueSettings {
  if (!given) return base;
  return {
    lease_ms: given.lease ? durationToMs(given.lease) : base.lease_ms,
    maxDeliveries: given.maxDeliveries ?? base.maxDeliveries,
    retryBackoff_ms: given.retryBackoff ? durationToMs(given.retryBackoff) : base.retryBackoff_ms,
    retryBackoffMax_ms: given.retryBackoffMax ? durationToMs(given.retryBackoffMax) : base.retryBackoffMax_ms,
    messageTtl_ms: given.messageTtl ? durationToMs(given.messageTtl) : base.messageTtl_ms,
    deadLetterTtl_ms: given.deadLetterTtl ? durationToMs(given.deadLetterTtl) : base.deadLetterTtl_ms,
    maxMessages: given.maxMessages === undefined ? base.maxMessages : Number(given.maxMessages),
    maxBytes: given.maxBytes === undefined ? base.maxBytes : Number(given.maxBytes),
    dedupWindow_ms: given.dedupWindow ? durationToMs(given.dedupWindow) : base.dedupWindow_ms,
  };
}

export function settingsMessage(settings: QueueSettings): QueueSettingsMessage {
  return create(QueueSettingsSchema, {
    lease: msToDuration(settings.lease_ms),
    maxDeliveries: settings.maxDeliveries,
    retryBackoff: msToDuration(settings.retryBackoff_ms),
    retryBackoffMax: msToDuration(settings.retryBackoffMax_ms),
    messageTtl: msToDuration(settings.messageTtl_ms),
    deadLetterTtl: msToDuration(settings.deadLetterTtl_ms),
    maxMessages: BigInt(settings.maxMessages),
    maxBytes: BigInt(settings.maxBytes),
    dedupWindow: msToDuration(settings.dedupWindow_ms),
  });
}

/**
 * How long a message waits after its `attempts`-th delivery failed: `retry_backoff`, doubled with each further one.
 */
export function retryBackoff_ms(settings: QueueSettings, attempts: number): number {
  // 2^52 times a millisecond is past every bound already.
  const doubled = settings.retryBackoff_ms * 2 ** Math.min(attempts - 1, 52);
  return Math.min(doubled, settings.retryBackoffMax_ms);
}
