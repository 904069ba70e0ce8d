/** Reads settings from a YAML file and knows the line each of them stands on. */
import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { type Given, type Source, shown } from './given.ts';
import { isListKind } from './kinds.ts';
import type { ConfigProblem } from './problems.ts';
import { type NamedSetting, SECTIONS } from './setting.ts';
import { suggest } from './suggest.ts';

export function readYamlFile(path: string, settings: readonly NamedSetting[]): Source {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { given: [], problems: [{ origin: path, reason: `cannot be read: ${reason}` }] };
  }
  return readYaml(content, path, settings);
}

/** @param path names the file in problems. */
export function readYaml(content: string, path: string, settings: readonly NamedSetting[]): Source {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const reader = new Reader(path, lines, settings);
  for (const error of document.errors) reader.refuse(error.pos[0], error.message);
  if (document.errors.length === 0 && document.contents !== null) reader.readRoot(document.contents);
  return reader;
}

class Reader implements Source {
  readonly given: Given[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly #path: string;
  readonly #lines: LineCounter;
  readonly #byYamlPath: ReadonlyMap<string, NamedSetting>;

  constructor(path: string, lines: LineCounter, settings: readonly NamedSetting[]) {
    this.#path = path;
    this.#lines = lines;
    this.#byYamlPath = new Map(settings.map((named) => [named.yamlPath, named]));
  }

  readRoot(root: Node): void {
    if (isEmpty(root)) return;
    if (!isMap(root)) {
      this.refuse(root.range?.[0], `expected sections: ${Object.keys(SECTIONS).join(', ')}`);
      return;
    }
    for (const pair of root.items) this.#readSection(pair as Pair<Node, Node | null>);
  }

  refuse(offset: number | undefined, reason: string, label?: string): void {
    const place = this.#place(offset);
    this.problems.push({ origin: label === undefined ? place : `${place} ${label}`, reason });
  }

  #readSection({ key, value }: Pair<Node, Node | null>): void {
    const section = String(key);
    if (!Object.hasOwn(SECTIONS, section)) {
      this.#refuseName(key, section);
    } else if (isMap(value)) {
      for (const pair of (value as YAMLMap<Node, Node | null>).items) this.#readSetting(section, pair);
    } else if (!isEmpty(value)) {
      this.refuse(value?.range?.[0], 'expected the settings of this section, indented below it', section);
    }
  }

  #readSetting(section: string, { key, value }: Pair<Node, Node | null>): void {
    const yamlPath = `${section}.${String(key)}`;
    const named = this.#byYamlPath.get(yamlPath);
    const at = value?.range?.[0] ?? key.range?.[0];
    if (!named) {
      this.#refuseName(key, yamlPath);
    } else if (isEmpty(value)) {
      this.refuse(at, 'has no value; give it one or remove the line', yamlPath);
    } else if (
      isScalar(value) ||
      (isSeq(value) && isListKind(named.setting.kind) && value.items.every(isScalar))
    ) {
      const texts = isScalar(value)
        ? [scalarText(value)]
        : value.items.map((item) => scalarText(item as Node));
      const origin = `${this.#place(at)} ${shown(named, yamlPath, texts.join(','))}`;
      this.given.push({ named, texts, origin });
    } else {
      this.refuse(at, `expected ${named.setting.kind.expected}`, yamlPath);
    }
  }

  #refuseName(key: Node, yamlPath: string): void {
    const settings = [...this.#byYamlPath.values()];
    const sections = yamlPath.includes('.') ? [] : Object.keys(SECTIONS);
    // A setting in the wrong section, or at the top, is found by its flag.
    const byFlag = suggest(
      yamlPath.slice(yamlPath.indexOf('.') + 1),
      settings.map((named) => named.flag),
    );
    const near =
      suggest(yamlPath, [...this.#byYamlPath.keys(), ...sections]) ??
      settings.find((named) => named.flag === byFlag)?.yamlPath;
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    this.refuse(key.range?.[0], `no such ${yamlPath.includes('.') ? 'setting' : 'section'}${hint}`, yamlPath);
  }

  #place(offset: number | undefined): string {
    if (offset === undefined) return this.#path;
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#path}:${line}:${col}`;
  }
}

function isEmpty(node: Node | null | undefined): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

/** A number is taken as it was written: YAML would turn `1_000` or `0x10` into something the writer may not mean. */
function scalarText(node: Node): string {
  if (!isScalar(node)) return String(node);
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}
