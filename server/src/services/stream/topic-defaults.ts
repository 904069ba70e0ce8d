/**
 * Topics that appear on first use get the node's defaults. The machine knows only those of the contract, since every
 * replica must do the same: where the node's differ, a Create with them goes into the log first.
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import {
  StreamService,
  type StreamServiceCreateRequest,
  StreamServiceCreateRequestSchema,
} from '../../gen/gomsg/v1/stream_pb.js';
import type { Failure } from '../../state/failure.ts';
import { settingsMessage } from '../../state/stream/settings.ts';
import { defaultTopicSettings, type TopicSettings } from '../../state/stream/topic.ts';
import { methodNumber } from '../decode.ts';
import { ErrorReason } from '../errors.ts';
import type { Proposal, ServiceGroup } from '../groups.ts';

const number = methodNumber(StreamService.method.create);

export class TopicDefaults {
  readonly #settings: TopicSettings;
  /** The machine's own defaults do. */
  readonly #plain: boolean;

  constructor(settings: TopicSettings) {
    this.#settings = settings;
    this.#plain =
      settings.partitions === defaultTopicSettings.partitions &&
      settings.retentionAge_ms === defaultTopicSettings.retentionAge_ms &&
      settings.retentionBytes === defaultTopicSettings.retentionBytes &&
      settings.retentionMessages === defaultTopicSettings.retentionMessages;
  }

  /** Called before a command that creates its topic when there is none. Costs nothing with the contract's defaults. */
  beforeFirstUse(group: ServiceGroup, topic: string): void {
    if (this.#plain) return;
    group.read(
      Consistency.STALE,
      ({ stream }) => {
        // What comes of it does not matter: the command behind it says what the caller gets to know.
        if (!stream.topic(topic)) this.#submit(group, topic, () => {});
      },
      // A group that cannot be read refuses the command, too.
      () => {},
    );
  }

  /** Creates the topic; it is no failure when it exists already. */
  create(group: ServiceGroup, topic: string): Promise<Failure | undefined> {
    return new Promise((resolve) => this.#submit(group, topic, resolve));
  }

  /** A Create as it goes into the log: the caller's settings, and the node's where the caller gave none. */
  fill(request: StreamServiceCreateRequest): Pick<Proposal, 'payload' | 'request'> {
    const given = request.settings;
    const defaults = settingsMessage(this.#settings);
    return encoded({
      topic: request.topic,
      settings: {
        partitions: given?.partitions ?? defaults.partitions,
        retentionAge: given?.retentionAge ?? defaults.retentionAge,
        retentionBytes: given?.retentionBytes ?? defaults.retentionBytes,
        retentionMessages: given?.retentionMessages ?? defaults.retentionMessages,
      },
    });
  }

  #submit(group: ServiceGroup, topic: string, done: (failure: Failure | undefined) => void): void {
    group.submit({
      method: number,
      ...encoded({ topic, settings: settingsMessage(this.#settings) }),
      session: undefined,
      reply: {
        ok: () => done(undefined),
        fail: (failure) => done(failure.reason === ErrorReason.ALREADY_EXISTS ? undefined : failure),
      },
    });
  }
}

function encoded(
  init: MessageInitShape<typeof StreamServiceCreateRequestSchema>,
): Pick<Proposal, 'payload' | 'request'> {
  const request = create(StreamServiceCreateRequestSchema, init);
  return { payload: toBinary(StreamServiceCreateRequestSchema, request), request };
}
