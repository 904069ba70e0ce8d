/** Read and ReadFrom: stored bytes go out as they are. */
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import { StreamService } from '../../gen/gomsg/v1/stream_pb.js';
import { offsetOutOfRange, partitionNotFound, topicNotFound } from '../../state/stream/failures.ts';
import type { MergeCursor } from '../../state/stream/merged-read.ts';
import { toSafeNumber } from '../../state/stream/numbers.ts';
import { MessageChunks } from '../../state/stream/partition-reader.ts';
import { readFromResponse, readResponse } from '../../state/stream/responses.ts';
import { timestampToMs } from '../../state/stream/start-position.ts';
import type { StreamMachine } from '../../state/stream/stream-machine.ts';
import type { TopicView } from '../../state/stream/topic.ts';
import { ByteReader, ByteWriter } from '../../state/wire.ts';
import { type CursorScope, decodeCursor, encodeCursor } from '../cursors.ts';
import { methodNumber, unary } from '../decode.ts';
import { GomsgError } from '../errors.ts';
import type { Method } from '../method.ts';
import { boundedOr, checkTopic } from './checks.ts';
import type { StreamDeps, StreamLimits } from './deps.ts';

const rpc = StreamService.method;

const DEFAULT_MESSAGES = 100;
const MAX_MESSAGES = 10_000;
const DEFAULT_BYTES = 1024 * 1024;
const MAX_BYTES = 8 * 1024 * 1024;
/** Bytes of messages in one page of ReadFrom. */
const READ_FROM_BYTES = 4 * 1024 * 1024;

export function readMethods({ router, limits }: StreamDeps): Method[] {
  return [
    unary(rpc.read, (request, { reply }) => {
      checkTopic(request.topic);
      const maxMessages = boundedOr(request.limit, 'limit', DEFAULT_MESSAGES, MAX_MESSAGES);
      const maxBytes = boundedOr(request.maxBytes, 'max_bytes', DEFAULT_BYTES, MAX_BYTES);
      const offset = toSafeNumber(request.offset);
      router.groupOf(request.topic).read(
        Consistency.LINEARIZABLE,
        ({ stream }) => {
          const topic = stream.topic(request.topic);
          const partition = topic?.partitions[request.partition];
          if (!topic) return reply.fail(topicNotFound(request.topic));
          if (!partition) {
            return reply.fail(partitionNotFound(topic.name, request.partition, topic.partitions.length));
          }
          const { startOffset, endOffset } = partition;
          if (offset < startOffset || offset > endOffset) {
            return reply.fail(offsetOutOfRange(topic.name, partition, offset));
          }
          const messages = new MessageChunks(maxMessages, fitting(maxBytes, limits));
          const next = stream.reader().read(partition, offset, messages);
          reply.ok(readResponse(messages, next, startOffset, endOffset));
        },
        (failure) => reply.fail(failure),
      );
    }),

    unary(rpc.readFrom, (request, { reply }) => {
      checkTopic(request.topic);
      const maxMessages = boundedOr(request.limit, 'limit', DEFAULT_MESSAGES, MAX_MESSAGES);
      const time_ms = request.time ? timestampToMs(request.time) : 0;
      router.groupOf(request.topic).read(
        Consistency.LINEARIZABLE,
        ({ stream }) => {
          const topic = stream.topic(request.topic);
          if (!topic) return reply.fail(topicNotFound(request.topic));
          const { partition: only } = request;
          if (only !== undefined && only >= topic.partitions.length) {
            return reply.fail(partitionNotFound(topic.name, only, topic.partitions.length));
          }
          // The id, too: offsets of a topic that was deleted say nothing about a new one of its name.
          const scope = {
            method: methodNumber(rpc.readFrom),
            args: [topic.name, topic.id, only, time_ms],
          };
          try {
            const cursors = mergeCursors(stream, topic, only, time_ms, scope, request.cursor);
            const messages = new MessageChunks(maxMessages, fitting(READ_FROM_BYTES, limits));
            stream.readMerged(cursors, messages);
            const more = cursors.some(({ partition, offset }) => offset < partition.endOffset);
            reply.ok(readFromResponse(messages, more ? nextCursor(scope, cursors) : undefined));
          } catch (error) {
            if (!(error instanceof GomsgError)) throw error;
            reply.fail(error);
          }
        },
        (failure) => reply.fail(failure),
      );
    }),
  ];
}

/** Half a frame at most, so that every page can travel; a larger message comes alone. */
function fitting(bytes: number, { maxFrameBytes }: StreamLimits): number {
  return Math.min(bytes, Math.floor(maxFrameBytes / 2));
}

/** Where to read on in each partition; by time in those that the cursor does not know of. */
function mergeCursors(
  stream: StreamMachine,
  topic: TopicView,
  only: number | undefined,
  time_ms: number,
  scope: CursorScope,
  cursor: Uint8Array,
): MergeCursor[] {
  const position = decodeCursor(scope, cursor);
  const known = position === undefined ? [] : readOffsets(position);
  return topic.partitions
    .filter(({ number }) => only === undefined || only === number)
    .map((partition, i) => ({
      partition,
      offset: Math.max(known[i] ?? stream.offsetAtTime(partition, time_ms), partition.startOffset),
    }));
}

/**
 * The offset of every partition rather than a moment: messages that were published in the same millisecond as the last
 * one of a page, but after it was read, are then neither lost nor given twice.
 */
function nextCursor(scope: CursorScope, cursors: readonly MergeCursor[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { offset } of cursors) writer.varint(offset);
  return encodeCursor(scope, Buffer.from(writer.view()).toString('latin1'));
}

function readOffsets(position: string): number[] {
  const reader = new ByteReader(Buffer.from(position, 'latin1'));
  const offsets: number[] = [];
  while (!reader.done) offsets.push(reader.varint());
  return offsets;
}
