/** Ids of messages (`queue#sequence`) and of deliveries (`queue#sequence.delivery`). */

export interface DeliveryName {
  readonly queue: string;
  readonly sequence: number;
  /** Which delivery of the message, from 1, never reset. */
  readonly delivery: number;
}

export function messageId(queue: string, sequence: number): string {
  return `${queue}#${sequence}`;
}

export function deliveryId(queue: string, sequence: number, delivery: number): string {
  return `${queue}#${sequence}.${delivery}`;
}

const NINE = 57;
const ZERO = 48;

/** Reads a delivery id; undefined when it is not one in its one canonical form. */
export function parseDeliveryId(id: string): DeliveryName | undefined {
  const hash = id.indexOf('#');
  const dot = id.indexOf('.', hash);
  if (hash <= 0 || dot < 0) return undefined;
  const sequence = parsePositive(id, hash + 1, dot);
  const delivery = parsePositive(id, dot + 1, id.length);
  if (sequence === 0 || delivery === 0) return undefined;
  return { queue: id.slice(0, hash), sequence, delivery };
}

/** A decimal from 1 to 2^53 - 1 without leading zero; 0 when the text is anything else. */
function parsePositive(text: string, from: number, to: number): number {
  if (to - from < 1 || to - from > 16 || text.charCodeAt(from) === ZERO) return 0;
  let value = 0;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code < ZERO || code > NINE) return 0;
    value = value * 10 + (code - ZERO);
  }
  return Number.isSafeInteger(value) ? value : 0;
}
