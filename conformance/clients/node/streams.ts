/** The streams that the runner has open. */
import type { Client, QueueMessage, StreamMessage, Subscription } from '@gomsg/client';
import {
  ItemAction,
  type OpenStream,
  type Settle,
  StreamForm,
  type Value,
} from '../../src/gen/gomsg/conformance/v1/conformance_pb.js';
import { METHODS } from './gen/dispatch.ts';
import { fromWire, namedFromWire, toWire } from './values.ts';

/** Told what happens to streams. */
export interface StreamEvents {
  item(stream: string, item: Value): void;
  failed(stream: string, error: unknown): void;
  ended(stream: string): void;
  handled(stream: string, error: unknown): void;
}

type Item = Partial<Pick<QueueMessage, 'ack' | 'nack'>> & Partial<Pick<StreamMessage, 'ack'>>;

type Open = (...args: unknown[]) => Subscription<Item>;

interface OpenedStream {
  readonly subscription: Subscription<Item>;
  readonly items: Item[];
  /** Resolves when its end was told. */
  readonly over: Promise<void>;
}

/** What a handler throws that is to fail. */
class AskedToFail extends Error {
  override readonly name = 'AskedToFail';
}

export class OpenStreams {
  readonly #events: StreamEvents;
  readonly #streams = new Map<string, OpenedStream>();

  constructor(events: StreamEvents) {
    this.#events = events;
  }

  /** Resolves when it is in place. */
  async open(client: Client, request: OpenStream): Promise<void> {
    const { stream, method: name, form, each, handleErrors } = request;
    const entry = METHODS[name];
    if (entry?.kind !== 'stream') throw new TypeError(`there is no stream ${name}`);
    const { service, method, params, options: optionShapes, result } = entry;
    const args = request.args.map((value, index) => fromWire(value, params[index]));
    const options = {
      ...namedFromWire(request.options, optionShapes),
      ...(handleErrors && { onError: (error: unknown) => this.#events.handled(stream, error) }),
    };
    const items: Item[] = [];
    const take = (item: Item) => {
      items.push(item);
      this.#events.item(stream, toWire(item, result));
      return settled(item, each);
    };
    const isIterator = form === StreamForm.ITERATOR;
    const open = (client[service] as unknown as Record<string, Open>)[method]!.bind(client[service]);
    const subscription = open(...args, ...(isIterator ? [] : [take]), options);
    const over = Promise.withResolvers<void>();
    this.#streams.set(stream, { subscription, items, over: over.promise });
    const iteration = isIterator ? iterate(subscription, take) : undefined;
    iteration?.catch(() => {});
    try {
      await subscription.ready;
    } catch (error) {
      over.resolve();
      throw (await subscription.closed) ?? error;
    }
    void this.#end(stream, subscription, iteration).then(over.resolve);
  }

  async settle({ stream, item, action }: Settle): Promise<void> {
    await settled(this.#stream(stream).items[item]!, action);
  }

  /** Resolves once it has ended. */
  async close(stream: string): Promise<void> {
    const { subscription, over } = this.#stream(stream);
    await subscription.close();
    await over;
  }

  async #end(stream: string, subscription: Subscription<Item>, iteration: Promise<void> | undefined) {
    try {
      await iteration;
      const error = await subscription.closed;
      if (error === undefined) this.#events.ended(stream);
      else this.#events.failed(stream, error);
    } catch (error) {
      // What the loop itself threw, such as a failure that was asked for, closed the subscription.
      this.#events.failed(stream, error);
    }
  }

  #stream(name: string): OpenedStream {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new TypeError(`there is no stream ${name}`);
    return stream;
  }
}

async function iterate(subscription: Subscription<Item>, take: (item: Item) => Promise<void>): Promise<void> {
  for await (const item of subscription) await take(item);
}

async function settled(item: Item, action: ItemAction): Promise<void> {
  switch (action) {
    case ItemAction.ACK:
      await item.ack?.();
      return;
    case ItemAction.NACK:
      await item.nack?.();
      return;
    case ItemAction.FAIL:
      throw new AskedToFail('the handler fails on purpose');
    default:
  }
}
