/** Topic settings between the contract's message and the machine. */
import { create } from '@bufbuild/protobuf';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import {
  type TopicSettings as TopicSettingsMessage,
  TopicSettingsSchema,
} from '../../gen/gomsg/v1/stream_pb.js';
import { durationToMs, msToDuration } from '../durations.ts';
import type { Failure } from '../failure.ts';
import { MAX_PARTITIONS_PER_TOPIC } from './limits.ts';
import { toSafeNumber } from './numbers.ts';
import type { TopicSettings } from './topic.ts';

/** `base` with the fields that `changes` has. */
export function changedSettings(
  base: TopicSettings,
  changes: TopicSettingsMessage | undefined,
): TopicSettings {
  if (changes === undefined) return base;
  return {
    partitions: changes.partitions ?? base.partitions,
    retentionAge_ms: changes.retentionAge ? durationToMs(changes.retentionAge) : base.retentionAge_ms,
    retentionBytes:
      changes.retentionBytes === undefined ? base.retentionBytes : toSafeNumber(changes.retentionBytes),
    retentionMessages:
      changes.retentionMessages === undefined
        ? base.retentionMessages
        : toSafeNumber(changes.retentionMessages),
  };
}

/** Why a topic cannot have these settings; undefined when it can. */
export function settingsProblem(topic: string, settings: TopicSettings, fewest = 1): Failure | undefined {
  const { partitions } = settings;
  if (partitions >= fewest && partitions <= MAX_PARTITIONS_PER_TOPIC) return undefined;
  const why = fewest > 1 ? ` (it has ${fewest}, and partitions are never removed)` : '';
  return {
    reason: ErrorReason.INVALID_SETTINGS,
    subject: topic,
    message: `topic ${topic} can have ${fewest} to ${MAX_PARTITIONS_PER_TOPIC} partitions, not ${partitions}${why}`,
  };
}

export function settingsMessage(settings: TopicSettings): TopicSettingsMessage {
  return create(TopicSettingsSchema, {
    partitions: settings.partitions,
    retentionAge: msToDuration(settings.retentionAge_ms),
    retentionBytes: BigInt(settings.retentionBytes),
    retentionMessages: BigInt(settings.retentionMessages),
  });
}
