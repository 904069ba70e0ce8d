/**
 * What changes of a message while it goes from state to state: the value of the row of its state. The body (what was
 * pushed) is a row of its own and never written again.
 */
import { ByteReader, type ByteWriter } from '../wire.ts';

export interface MessageState {
  /** 0 to 255, as pushed. */
  readonly priority: number;
  /** Payload and header bytes: what the message counts for in `bytes` and `max_bytes`. */
  readonly size: number;
  /** Deliveries of the message ever: the last part of a delivery id. Never reset, so that no id comes twice. */
  readonly deliveries: number;
  /** Deliveries since it was pushed or redriven: what `max_deliveries` is about. */
  readonly attempts: number;
  /** Ready: when the message ttl removes it; in flight: when the lease ends. 0 = never, or the key says it. */
  readonly until_ms: number;
}

/** Layout: priority (u8), then size, deliveries, attempts and until as varints. */
export function writeMessageState(
  writer: ByteWriter,
  priority: number,
  size: number,
  deliveries: number,
  attempts: number,
  until_ms: number,
): Uint8Array {
  return writer.reset().u8(priority).varint(size).varint(deliveries).varint(attempts).varint(until_ms).view();
}

export function readMessageState(value: Uint8Array): MessageState {
  return readState(new ByteReader(value));
}

/** A dead message's state is followed by why it died, as UTF-8 to the end of the row. */
export function readDeadState(value: Uint8Array): { state: MessageState; error: string } {
  const reader = new ByteReader(value);
  const state = readState(reader);
  return { state, error: reader.utf8(value.length - reader.at) };
}

function readState(reader: ByteReader): MessageState {
  const priority = reader.u8();
  const size = reader.varint();
  const deliveries = reader.varint();
  const attempts = reader.varint();
  return { priority, size, deliveries, attempts, until_ms: reader.varint() };
}
