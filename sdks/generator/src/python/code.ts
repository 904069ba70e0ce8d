/** Building blocks of Python text: names, docstrings, lines. */
import type { DescEnum, DescFile, DescMessage } from '@bufbuild/protobuf';
import { GENERATED_MARK } from '../generated-file.ts';
import { lowerSnake } from '../names.ts';

const DOC_COLUMNS = 110;

const CODE_COLUMNS = 116;

const KEYWORDS = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from ' +
    'global if import in is lambda nonlocal not or pass raise return try while with yield'
  ).split(' '),
);

/** A name of the contracts as Python can have it. */
export function identifier(name: string): string {
  return KEYWORDS.has(name) ? `${name}_` : name;
}

/** `KVService` → `KV_SERVICE`. */
export function constant(name: string): string {
  return lowerSnake(name).toUpperCase();
}

/** Text as a literal. */
export function literal(text: string): string {
  return JSON.stringify(text);
}

export function indent(lines: readonly string[], levels = 1): string[] {
  const spaces = '    '.repeat(levels);
  return lines.map((line) => (line === '' ? '' : spaces + line));
}

/** A docstring; further paragraphs as they are. */
export function docstring(text: string, more: readonly string[] = []): string[] {
  const lines = wrapped(escaped(text || '…'), DOC_COLUMNS - 8);
  if (lines.length === 1 && more.length === 0) return [`"""${closed(lines[0] as string)}"""`];
  return [`"""${lines[0]}`, ...lines.slice(1), ...more.map(escaped), '"""'];
}

/** The section of a docstring that says what each argument is. */
export function argumentDocs(entries: readonly (readonly [string, string])[]): string[] {
  if (entries.length === 0) return [];
  const lines = entries.flatMap(([name, doc]) => {
    const [first, ...rest] = wrapped(`${name}: ${doc.replaceAll('\n', ' ')}`, DOC_COLUMNS - 16);
    return [`    ${first}`, ...rest.map((line) => `        ${line}`)];
  });
  return ['', 'Args:', ...lines];
}

/** The text in lines of at most so many columns; empty lines and list items of the text stay lines of their own. */
export function wrapped(text: string, columns: number): string[] {
  return text.split('\n\n').flatMap((paragraph, index) => {
    const lines: string[] = index > 0 ? [''] : [];
    let line = '';
    for (const word of paragraph.split(/\s+/).filter((part) => part !== '')) {
      if (line !== '' && line.length + 1 + word.length > columns) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
    return lines;
  });
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"""', "'''");
}

/** A docstring of one line must not end in the sign that closes it. */
function closed(line: string): string {
  return line.endsWith('"') ? `${line} ` : line;
}

/** The lines as one text without its docstrings: to see what it mentions. */
export function withoutDocs(lines: readonly string[]): string {
  return lines.join('\n').replaceAll(/"""[\s\S]*?"""/g, '');
}

/** A module: what it is, its imports in order, its content. */
export function moduleText(
  doc: string,
  imports: readonly string[],
  content: readonly (readonly string[])[],
): string {
  const future = 'from __future__ import annotations';
  const head = [`# ${GENERATED_MARK}`, ...docstring(doc), '', future, '', ...sortedImports(imports)];
  const body = content.flatMap((block) => ['', '', ...block]);
  return `${[...head, ...body]
    .flatMap((line) => folded(line))
    .join('\n')
    .trimEnd()}\n`;
}

/** Imports in order, one statement for each module, those of the package last. */
function sortedImports(imports: readonly string[]): string[] {
  const plain = new Set<string>();
  const byModule = new Map<string, Set<string>>();
  for (const line of imports) {
    const [, module, names] = /^from (\S+) import (.*)$/.exec(line) ?? [];
    if (module === undefined || names === undefined) plain.add(line);
    else byModule.set(module, new Set([...(byModule.get(module) ?? []), ...names.split(', ')]));
  }
  const froms = [...byModule].map(([module, names]) => {
    const sorted = [...names].sort();
    const line = `from ${module} import ${sorted.join(', ')}`;
    return line.length <= CODE_COLUMNS
      ? line
      : [`from ${module} import (`, ...sorted.map((name) => `    ${name},`), ')'].join('\n');
  });
  const all = [...[...plain].sort(), ...froms.sort()];
  const isOwn = (line: string) => /^(from|import) gomsg\b/.test(line);
  const own = all.filter(isOwn);
  const others = all.filter((line) => !isOwn(line));
  return [...others, ...(others.length > 0 && own.length > 0 ? [''] : []), ...own];
}

/** A line that is too long, as several: broken at its outermost parentheses, one argument a line. */
export function folded(line: string): string[] {
  if (line.length <= CODE_COLUMNS) return [line];
  const margin = /^ */.exec(line)?.[0] ?? '';
  for (const [open, close] of outermostParentheses(line)) {
    const inner = line.slice(open + 1, close);
    const parts = atCommas(inner);
    if (inner.trim() === '' || / for \w+ in /.test(inner)) continue;
    return [
      line.slice(0, open + 1),
      ...parts.flatMap((part) => folded(`${margin}    ${part.trim()},`)),
      `${margin}${line.slice(close)}`,
    ];
  }
  return [line];
}

/** Where the parentheses that stand in no others open and close, the longest first. */
function outermostParentheses(line: string): [number, number][] {
  const found: [number, number][] = [];
  let depth = 0;
  let start = 0;
  for (const [at, sign] of code(line)) {
    if ('([{'.includes(sign)) {
      if (depth === 0) start = at;
      depth += 1;
    } else if (')]}'.includes(sign)) {
      depth -= 1;
      if (depth === 0 && sign === ')') found.push([start, at]);
    }
  }
  return found.sort(([a, b], [c, d]) => d - c - (b - a));
}

/** The parts between commas that stand in no parentheses. */
function atCommas(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const [at, sign] of code(text)) {
    if ('([{'.includes(sign)) depth += 1;
    else if (')]}'.includes(sign)) depth -= 1;
    else if (sign === ',' && depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  const rest = text.slice(from);
  return rest.trim() === '' ? parts : [...parts, rest];
}

/** The characters that are not in a string literal, with their places. */
function* code(text: string): Generator<[number, string]> {
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text.charAt(at);
    if (isInString && sign === '\\') at += 1;
    else if (sign === '"') isInString = !isInString;
    else if (!isInString) yield [at, sign];
  }
}

/** `gomsg/v1/kv.proto` → `kv_pb2`. */
export function protoModule(file: DescFile): string {
  return `${file.proto.name.replace(/\.proto$/, '').replace(/^.*\//, '')}_pb2`;
}

export function protoImport(file: DescFile): string {
  const parts = file.proto.name.split('/');
  const name = protoModule(file);
  return parts.length === 1 ? `import ${name}` : `from ${parts.slice(0, -1).join('.')} import ${name}`;
}

/** `kv_pb2.KVServiceSetRequest`. */
export function protoClass(desc: DescMessage | DescEnum): string {
  const prefix = desc.file.proto.package === '' ? '' : `${desc.file.proto.package}.`;
  return `${protoModule(desc.file)}.${desc.typeName.slice(prefix.length)}`;
}
