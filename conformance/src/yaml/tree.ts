/**
 * YAML as the cases use it: trees of scalars, lists and maps that know their tags and where they stand, so that every
 * complaint names file and line. Whole numbers are bigints, as the values they stand for have 64 bits.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  Scalar,
} from 'yaml';

/** Where something stands in a file. */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export type ScalarValue = null | boolean | bigint | number | string;

interface Tagged {
  /** `!repeat` without its mark: `repeat`; empty = none. */
  readonly tag: string;
  readonly place: Place;
}

export interface ScalarTree extends Tagged {
  readonly kind: 'scalar';
  readonly value: ScalarValue;
}

export interface ListTree extends Tagged {
  readonly kind: 'list';
  readonly items: readonly Tree[];
}

export interface MapTree extends Tagged {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Tree>;
}

export type Tree = ScalarTree | ListTree | MapTree;

/** A case or a list that cannot be read. The message begins with file and line. */
export class CaseFileError extends Error {
  override readonly name = 'CaseFileError';

  constructor(place: Place, message: string) {
    super(`${place.file}:${place.line}: ${message}`);
  }
}

/** @throws CaseFileError */
export function readTree(file: string, text: string): Tree {
  const lines = new LineCounter();
  const [document, another] = parseAllDocuments(text, { lineCounter: lines, schema: 'failsafe' });
  if (document === undefined || !('contents' in document) || document.contents === null)
    throw new CaseFileError({ file, line: 1 }, 'the file is empty');
  if (another !== undefined) throw new CaseFileError({ file, line: 1 }, 'one document a file');
  const error = document.errors[0];
  if (error !== undefined)
    throw new CaseFileError({ file, line: lines.linePos(error.pos[0]).line }, error.message);
  return convert(document.contents, (offset) => ({ file, line: lines.linePos(offset).line }));
}

function convert(node: ParsedNode, placeAt: (offset: number) => Place): Tree {
  const place = placeAt(node.range[0]);
  if (isAlias(node)) throw new CaseFileError(place, 'aliases are not supported');
  const tag = node.tag?.startsWith('!') ? node.tag.slice(1) : '';
  if (isSeq(node)) {
    return {
      kind: 'list',
      tag,
      place,
      items: node.items.map((item) => convert(item as ParsedNode, placeAt)),
    };
  }
  if (isMap(node)) {
    const entries = new Map<string, Tree>();
    for (const { key, value } of node.items as { key: ParsedNode; value: ParsedNode | null }[]) {
      if (!isScalar(key)) throw new CaseFileError(place, 'keys are plain words');
      const name = String(key.value);
      entries.set(
        name,
        value === null ? { kind: 'scalar', tag: '', value: null, place } : convert(value, placeAt),
      );
    }
    return { kind: 'map', tag, place, entries };
  }
  const text = String(node.value ?? '');
  return { kind: 'scalar', tag, place, value: node.type === Scalar.PLAIN ? plainValue(text) : text };
}

/** What a scalar without quotes stands for, as in YAML's core schema. */
function plainValue(text: string): ScalarValue {
  if (text === '' || text === 'null' || text === '~') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^[-+]?\d+$/.test(text)) return BigInt(text.replace(/^\+/, ''));
  if (/^[-+]?(\d+\.\d*|\.\d+|\d+(\.\d*)?[eE][-+]?\d+)$/.test(text)) return Number(text);
  return text;
}
