/** TypeScript source: names, comments and files as the emitters of this folder write them. */
import { wrapped } from '../comments.ts';
import { GENERATED_MARK, type GeneratedFile } from '../generated-file.ts';
import type { FaceModel } from '../model.ts';
import { lowerCamel, upperCamel } from '../names.ts';

const INITIALISMS: ReadonlySet<string> = new Set(['ttl']);
const TYPE_INITIALISMS: ReadonlySet<string> = new Set(['ttl', 'kv']);

const COMMENT_WIDTH = 110;

/** `keep_ttl` → `keepTTL`. */
export function memberName(snake: string): string {
  return lowerCamel(snake, INITIALISMS);
}

/** `kv`, `set_ttl` → `KVSetTTL`. */
export function typeName(...snake: string[]): string {
  return snake.map((name) => upperCamel(name, TYPE_INITIALISMS)).join('');
}

/** The method that a face becomes; `suffix` is that of a second one, such as `_iter`. */
export function methodName(face: FaceModel, suffix = ''): string {
  if (suffix === '') return face.spelled.node ?? memberName(face.name);
  return (face.spelled.node ?? memberName(face.name)) + typeName(suffix.slice(1));
}

/** A doc comment; nothing for an empty text. */
export function docComment(text: string, indent = ''): string {
  const lines = wrapped(text.replaceAll('*/', '*\\/'), COMMENT_WIDTH - indent.length - 3);
  if (lines.length === 0) return '';
  if (lines.length === 1) return `${indent}/** ${lines[0]} */`;
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`].join('\n');
}

/** A file of sections with a blank line between each two. */
export function generatedFile(path: string, sections: readonly string[]): GeneratedFile {
  const text = sections.filter((section) => section !== '').join('\n\n');
  return { path, content: `// ${GENERATED_MARK}\n\n${text}\n` };
}
