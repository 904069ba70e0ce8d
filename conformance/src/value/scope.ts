/** The variables of a running case. */
import { CaseFileError, type Place } from '../yaml/tree.ts';
import { type Datum, Fields, isList, shown } from './datum.ts';

const REFERENCE = /\$\{([A-Za-z_][\w-]*(?:\.[\w-]+)*)\}/g;

export class Scope {
  readonly #variables = new Map<string, Datum>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  /** Sets a variable of this scope or, where it is known there, of an outer one. */
  set(name: string, value: Datum): void {
    (this.#variablesWith(name) ?? this.#outermost()).set(name, value);
  }

  /** A scope inside this one. */
  inner(): Scope {
    return new Scope(this);
  }

  /** Sets a variable that is seen in this scope only, such as the number of a round. */
  setLocal(name: string, value: Datum): void {
    this.#variables.set(name, value);
  }

  /** Appends to a variable that is a list, which may be new. */
  append(name: string, value: Datum): void {
    const list = this.#variablesWith(name)?.get(name) ?? [];
    this.set(name, isList(list) ? [...list, value] : [value]);
  }

  /** The value of `name`, or `name.field.0`, of a field or element of it. */
  get(reference: string, place: Place): Datum {
    const [name, ...path] = reference.split('.') as [string, ...string[]];
    let value = this.#variablesWith(name)?.get(name);
    if (value === undefined) throw new CaseFileError(place, `no variable is called ${name}`);
    for (const part of path) {
      const inner: Datum | undefined =
        value instanceof Fields ? value.byName.get(part) : isList(value) ? value[Number(part)] : undefined;
      if (inner === undefined)
        throw new CaseFileError(place, `\${${reference}}: no ${part} in ${shown(value)}`);
      value = inner;
    }
    return value;
  }

  /** A text with its `${references}` filled in; one that is a reference as a whole becomes that value. */
  fill(given: string, place: Place): Datum {
    const text = this.#innermostFirst(given, place);
    const whole = /^\$\{([^}]+)\}$/.exec(text);
    if (whole) return this.get(whole[1]!, place);
    return text.replace(REFERENCE, (_, reference: string) => asText(this.get(reference, place)));
  }

  /** `${list.${i}}` as `${list.3}`. */
  #innermostFirst(text: string, place: Place): string {
    const inner = /(\$\{[^{}]*)\$\{([^{}]+)\}/;
    let filled = text;
    while (inner.test(filled))
      filled = filled.replace(
        inner,
        (_, head: string, reference: string) => head + asText(this.get(reference, place)),
      );
    return filled;
  }

  #variablesWith(name: string): Map<string, Datum> | undefined {
    if (this.#variables.has(name)) return this.#variables;
    return this.#outer === undefined ? undefined : this.#outer.#variablesWith(name);
  }

  #outermost(): Map<string, Datum> {
    return this.#outer === undefined ? this.#variables : this.#outer.#outermost();
  }
}

function asText(value: Datum): string {
  return typeof value === 'string' ? value : typeof value === 'bigint' ? String(value) : shown(value);
}
