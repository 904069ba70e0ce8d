/**
 * Reads and reshapes the encoded answer of a Pop without decoding it: payloads can be large, and only the ids matter
 * here. The layout is the one that `state/queue/responses.ts` writes.
 */
import { ByteReader, fieldTag, wireType } from '../../state/wire.ts';

/** `deliveries` in QueueServicePopResponse, and `delivery_id` in QueueDelivery. */
const FIRST_TAG = fieldTag(1, wireType.bytes);
/** `deliveries` in QueueServiceConsumeResponse. */
const CONSUME_DELIVERIES_TAG = fieldTag(2, wireType.bytes);

/** Ids of the deliveries, in order. */
export function deliveryIds(popResponse: Uint8Array): string[] {
  const ids: string[] = [];
  for (const at of deliveriesIn(popResponse)) {
    const reader = new ByteReader(popResponse, at + 1);
    reader.varint();
    if (reader.u8() !== FIRST_TAG) throw new Error('a delivery does not begin with its id');
    ids.push(reader.binary(reader.varint()));
  }
  return ids;
}

/** The same deliveries as a QueueServiceConsumeResponse. */
export function asConsumeResponse(popResponse: Uint8Array): Uint8Array {
  const response = new Uint8Array(popResponse);
  for (const at of deliveriesIn(popResponse)) response[at] = CONSUME_DELIVERIES_TAG;
  return response;
}

/** Offsets of the tags of the deliveries. */
function* deliveriesIn(popResponse: Uint8Array): Iterable<number> {
  const reader = new ByteReader(popResponse);
  while (!reader.done) {
    const at = reader.at;
    if (reader.u8() !== FIRST_TAG) throw new Error('the answer of a pop holds deliveries alone');
    const length = reader.varint();
    reader.at += length;
    yield at;
  }
}
