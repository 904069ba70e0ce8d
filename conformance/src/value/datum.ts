/** A value of any language, as the runner holds it. */

/** A length of time. */
export class Span {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }
}

/** A point in time. */
export class Moment {
  /** Since 1970. */
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }
}

/** Named values: an object, a struct, a map. */
export class Fields {
  readonly byName: ReadonlyMap<string, Datum>;

  constructor(byName: ReadonlyMap<string, Datum>) {
    this.byName = byName;
  }
}

/** A bigint is an integer, a number one with a fraction; a list is an array. */
export type Datum =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Span
  | Moment
  | readonly Datum[]
  | Fields;

/** Text beyond this is shortened where a value is shown. */
const SHOWN_CHARACTERS = 120;
const SHOWN_BYTES = 24;
const SHOWN_ITEMS = 12;

/** A value for people to read, in the way that cases write it. */
export function shown(datum: Datum): string {
  if (typeof datum === 'string') {
    const text = JSON.stringify(datum.slice(0, SHOWN_CHARACTERS));
    return datum.length > SHOWN_CHARACTERS ? `${text}… (${datum.length} characters)` : text;
  }
  if (datum === null || typeof datum === 'boolean' || typeof datum === 'bigint') return String(datum);
  if (typeof datum === 'number') return `!float ${datum}`;
  if (datum instanceof Uint8Array) {
    const hex = Buffer.from(datum.subarray(0, SHOWN_BYTES)).toString('hex');
    return datum.length > SHOWN_BYTES ? `!bytes ${hex}… (${datum.length} bytes)` : `!bytes '${hex}'`;
  }
  if (datum instanceof Span) return `!duration ${datum.ms}ms`;
  if (datum instanceof Moment) return `!time ${shownMoment(datum.ms)}`;
  if (datum instanceof Fields) {
    const parts = [...datum.byName].map(([name, value]) => `${name}: ${shown(value)}`);
    return `{${parts.join(', ')}}`;
  }
  const items = datum.slice(0, SHOWN_ITEMS).map(shown).join(', ');
  return datum.length > SHOWN_ITEMS ? `[${items}, … ${datum.length} in all]` : `[${items}]`;
}

function shownMoment(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms since 1970` : date.toISOString();
}

/** Whether two values are the same, in kind too. */
export function same(a: Datum, b: Datum): boolean {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Span) return b instanceof Span && a.ms === b.ms;
  if (a instanceof Moment) return b instanceof Moment && a.ms === b.ms;
  if (a instanceof Fields) {
    if (!(b instanceof Fields) || a.byName.size !== b.byName.size) return false;
    return [...a.byName].every(([name, value]) => {
      const other = b.byName.get(name);
      return other !== undefined && same(value, other);
    });
  }
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, index) => same(item, b[index]!));
  return Object.is(a, b);
}

/** A text that equal values share and others do not. */
export function identity(datum: Datum): string {
  if (typeof datum === 'string') return JSON.stringify(datum);
  if (datum instanceof Uint8Array) return `!bytes ${Buffer.from(datum).toString('hex')}`;
  if (datum instanceof Fields) {
    const names = [...datum.byName.keys()].sort();
    return `{${names.map((name) => `${name}: ${identity(datum.byName.get(name)!)}`).join(', ')}}`;
  }
  return isList(datum) ? `[${datum.map(identity).join(', ')}]` : shown(datum);
}

export function isList(datum: Datum): datum is readonly Datum[] {
  return Array.isArray(datum);
}

/** The place of a value on its kind's scale, for comparisons; undefined where there is none. */
export function magnitude(
  datum: Datum,
): { readonly kind: string; readonly size: number | bigint } | undefined {
  if (typeof datum === 'bigint') return { kind: 'number', size: datum };
  if (typeof datum === 'number') return { kind: 'number', size: datum };
  if (datum instanceof Span) return { kind: 'duration', size: datum.ms };
  if (datum instanceof Moment) return { kind: 'time', size: datum.ms };
  return undefined;
}
