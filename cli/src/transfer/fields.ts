/** Fields of records as keys, times and headers. */

/** A key as text; undefined when the field holds none. */
export function keyText(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value)))
    return String(value);
  return typeof value === 'number' && !Number.isInteger(value) ? String(value) : undefined;
}

/** A field's content by itself: text as it is, anything else as JSON; undefined when the field is missing. */
export function fieldContent(value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined;
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Unix milliseconds; undefined when the field is empty, NaN when it holds no time. */
export function timeField(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  return typeof value === 'string' ? Date.parse(value) : Number.NaN;
}

/** Headers, as an object in NDJSON or as its JSON text in CSV; undefined when they are something else. */
export function headersField(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null || value === '') return {};
  if (typeof value === 'string') {
    try {
      return headersField(JSON.parse(value));
    } catch {
      return undefined;
    }
  }
  if (typeof value !== 'object' || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  return entries.every(([, text]) => typeof text === 'string') ? Object.fromEntries(entries) : undefined;
}

/** What is wrong with a record where content was looked for. */
export function missingContent(name: string, option: string): string {
  return `has no field ${name} or ${name}Base64; name one with ${option}, or take the record itself with --whole-record`;
}
