/** Takes a map apart field by field; what was not asked for is refused, with file and line. */
import { parseDuration } from '../value/evaluate.ts';
import { CaseFileError, type ListTree, type MapTree, type Place, type Tree } from './tree.ts';

export class MapReader {
  readonly place: Place;
  readonly #map: MapTree;
  readonly #what: string;
  readonly #asked = new Set<string>();

  /** `what` names the thing in complaints: `a step`. */
  constructor(tree: Tree, what: string) {
    if (tree.kind !== 'map' || tree.tag !== '') throw new CaseFileError(tree.place, `${what} is a map`);
    this.#map = tree;
    this.#what = what;
    this.place = tree.place;
  }

  has(name: string): boolean {
    return this.#map.entries.has(name);
  }

  tree(name: string): Tree | undefined {
    this.#asked.add(name);
    return this.#map.entries.get(name);
  }

  required(name: string): Tree {
    const tree = this.tree(name);
    if (tree === undefined) throw new CaseFileError(this.place, `${this.#what} needs ${name}`);
    return tree;
  }

  map(name: string): MapTree | undefined {
    const tree = this.tree(name);
    if (tree === undefined) return undefined;
    if (tree.kind !== 'map' || tree.tag !== '') throw new CaseFileError(tree.place, `${name} is a map`);
    return tree;
  }

  list(name: string): ListTree | undefined {
    const tree = this.tree(name);
    if (tree === undefined) return undefined;
    if (tree.kind !== 'list' || tree.tag !== '') throw new CaseFileError(tree.place, `${name} is a list`);
    return tree;
  }

  word(name: string): string | undefined {
    const tree = this.tree(name);
    return tree === undefined ? undefined : wordOf(tree, name);
  }

  requiredWord(name: string): string {
    return wordOf(this.required(name), name);
  }

  words(name: string): readonly string[] {
    return this.list(name)?.items.map((item) => wordOf(item, name)) ?? [];
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const tree = this.tree(name);
    if (tree === undefined) return undefined;
    const word = wordOf(tree, name);
    const found = allowed.find((candidate) => candidate === word);
    if (found === undefined)
      throw new CaseFileError(tree.place, `${name} is one of ${allowed.join(', ')}, not ${word}`);
    return found;
  }

  flag(name: string): boolean {
    const tree = this.tree(name);
    if (tree === undefined) return false;
    if (tree.kind !== 'scalar' || typeof tree.value !== 'boolean')
      throw new CaseFileError(tree.place, `${name} is true or false`);
    return tree.value;
  }

  duration_ms(name: string): number | undefined {
    const tree = this.tree(name);
    if (tree === undefined) return undefined;
    const ms = parseDuration(wordOf(tree, name));
    if (ms === undefined) throw new CaseFileError(tree.place, `${name} is a duration such as 250ms or 10s`);
    return ms;
  }

  /** @throws CaseFileError for the first field that nobody asked for */
  end(): void {
    for (const [name, tree] of this.#map.entries) {
      if (!this.#asked.has(name)) throw new CaseFileError(tree.place, `${this.#what} has no field ${name}`);
    }
  }
}

export function wordOf(tree: Tree, name: string): string {
  if (tree.kind !== 'scalar' || tree.value === null || typeof tree.value === 'boolean')
    throw new CaseFileError(tree.place, `${name} is a word`);
  return String(tree.value);
}
