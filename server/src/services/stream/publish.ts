/**
 * Publish and PublishBatch. The hot ones: requests are scanned, not decoded, and go into the log as they came.
 */
import { StreamService } from '../../gen/gomsg/v1/stream_pb.js';
import { PublishScan } from '../../state/stream/publish-scan.ts';
import { scanFailure } from '../../state/stream/publishing.ts';
import { invalidRequest, methodNumber } from '../decode.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import type { Method, UnaryMethod } from '../method.ts';
import { checkTopic } from './checks.ts';
import type { StreamDeps } from './deps.ts';
import type { TopicDefaults } from './topic-defaults.ts';

/** Longest key of a message in bytes, as the contract says. */
const MAX_MESSAGE_KEY_BYTES = 1024;

type ScanRequest = (scan: PublishScan, payload: Uint8Array) => void;

export function publishMethods(deps: StreamDeps, defaults: TopicDefaults): Method[] {
  const { publish, publishBatch } = StreamService.method;
  return [
    publishMethod(publish, deps, defaults, (scan, payload) => scan.publish(payload)),
    publishMethod(publishBatch, deps, defaults, (scan, payload) => {
      scan.publishBatch(payload);
      if (scan.count === 0) throw invalidRequest('messages', 'a batch has at least one message');
    }),
  ];
}

function publishMethod(
  desc: UnaryMethod['desc'],
  { router, limits }: StreamDeps,
  defaults: TopicDefaults,
  scanRequest: ScanRequest,
): UnaryMethod {
  const number = methodNumber(desc);
  const scan = new PublishScan();
  // The topic of the request before was checked then; the scan gives the same string again for the same topic.
  let checkedTopic = '';
  return {
    kind: 'unary',
    desc,
    number,
    handle(payload, { session }, reply) {
      let topic: string;
      try {
        scanRequest(scan, payload);
        topic = scan.topic;
        if (topic !== checkedTopic || topic === '') checkTopic(topic);
        checkedTopic = topic;
        checkSizes(scan, limits.maxMessageBytes);
      } catch (error) {
        reply.fail(error instanceof GomsgError ? error : scanFailure(error));
        return;
      }
      const group = router.groupOf(topic);
      defaults.beforeFirstUse(group, topic);
      group.submit({ method: number, payload, request: undefined, session, reply });
    },
  };
}

function checkSizes(scan: PublishScan, maxMessageBytes: number): void {
  for (let i = 0; i < scan.count; i++) {
    const { keyFrom, keyTo } = scan.place(i);
    if (keyTo - keyFrom > MAX_MESSAGE_KEY_BYTES) {
      throw new GomsgError({
        reason: ErrorReason.INVALID_KEY,
        subject: 'key',
        message: `the key of a message has ${keyTo - keyFrom} bytes; at most ${MAX_MESSAGE_KEY_BYTES} are allowed`,
      });
    }
    const bytes = scan.bytesOf(i);
    if (bytes > maxMessageBytes) {
      throw new GomsgError({
        reason: ErrorReason.VALUE_TOO_LARGE,
        subject: scan.topic,
        message: `the message has ${bytes} bytes with key and headers; at most ${maxMessageBytes} are allowed`,
      });
    }
  }
}
