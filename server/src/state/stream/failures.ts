/** The failures of stream commands and reads, worded in one place. */
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../failure.ts';
import {
  MAX_COMMITTED_OFFSETS,
  MAX_MEMBERS,
  MAX_MESSAGE_BYTES,
  MAX_PARTITIONS,
  MAX_TOPICS,
} from './limits.ts';
import type { PartitionView } from './topic.ts';

export function topicNotFound(topic: string): Failure {
  return {
    reason: ErrorReason.TOPIC_NOT_FOUND,
    subject: topic,
    message: `topic ${topic} does not exist`,
  };
}

export function partitionNotFound(topic: string, partition: number, partitions: number): Failure {
  return {
    reason: ErrorReason.PARTITION_NOT_FOUND,
    subject: topic,
    message: `topic ${topic} has no partition ${partition}; it has ${partitions}, counted from 0`,
  };
}

export function consumerNotFound(topic: string, consumer: string): Failure {
  return {
    reason: ErrorReason.CONSUMER_NOT_FOUND,
    subject: consumer,
    message: `topic ${topic} has no consumer or group ${consumer}`,
  };
}

export function offsetOutOfRange(topic: string, partition: PartitionView, offset: number): Failure {
  const { number, startOffset, endOffset } = partition;
  return {
    reason: ErrorReason.OFFSET_OUT_OF_RANGE,
    subject: topic,
    message: `offset ${offset} of ${topic} partition ${number} is out of range: it keeps ${startOffset} up to, not including, ${endOffset}`,
    oldestAvailable: startOffset,
    newestAvailable: endOffset,
  };
}

export function unexpectedOffset(
  topic: string,
  partition: number,
  expected: number,
  endOffset: number,
): Failure {
  return {
    reason: ErrorReason.CONDITION_FAILED,
    subject: topic,
    message: `the message would get offset ${endOffset} in ${topic} partition ${partition}, not ${expected}`,
    newestAvailable: endOffset,
  };
}

export function memberFenced(topic: string, consumer: string, member: string, partition?: number): Failure {
  const what = partition === undefined ? '' : ` partition ${partition} of`;
  return {
    reason: ErrorReason.MEMBER_FENCED,
    subject: consumer,
    message: `${member} does not hold${what} ${topic} for ${consumer} any more`,
  };
}

export function messageTooLarge(topic: string, bytes: number): Failure {
  return {
    reason: ErrorReason.VALUE_TOO_LARGE,
    subject: topic,
    message: `the message has ${bytes} bytes; at most ${MAX_MESSAGE_BYTES} can be stored`,
  };
}

export function malformed(message: string): Failure {
  return { reason: ErrorReason.INVALID_REQUEST, message };
}

export function tooManyTopics(topic: string): Failure {
  return {
    reason: ErrorReason.INVALID_SETTINGS,
    subject: topic,
    message: `topic ${topic} would be one too many: at most ${MAX_TOPICS} topics with ${MAX_PARTITIONS} partitions in all fit in a group`,
  };
}

export function tooManyCommittedOffsets(topic: string): Failure {
  return {
    reason: ErrorReason.INVALID_SETTINGS,
    subject: topic,
    message: `the consumers of a group keep at most ${MAX_COMMITTED_OFFSETS} offsets, one for each of them and partition`,
  };
}

export function tooManyMembers(consumer: string): Failure {
  return {
    reason: ErrorReason.OVERLOADED,
    subject: consumer,
    message: `group ${consumer} has ${MAX_MEMBERS} members, the most that a group can have`,
  };
}
