/** What a stream asks for, connection after connection, and how it reads the answers. */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { GomsgError } from '../errors.ts';

export interface Plan<I extends DescMessage, O extends DescMessage, T> {
  /** The request of the next connection; may first wait for what must come before it. */
  request(): MessageShape<I> | Promise<MessageShape<I>>;
  /** The items of a response. */
  take(response: MessageShape<O>): Iterable<T> | AsyncIterable<T>;
  /** Items that were not handed on when the connection was lost come again over the next one: they are dropped. */
  readonly dropsWhenLost: boolean;
  /**
   * The connection is gone; told at once, and again before the next. True when another one may mend an error that would
   * be final otherwise.
   */
  lost?(error: GomsgError): boolean;
  /** A handler failed at an item. True when the stream goes on even without an error handler. */
  handlerFailed?(item: T, error: unknown): boolean;
  /** Waits for acknowledgements that are under way. */
  settled?(): Promise<unknown>;
}
