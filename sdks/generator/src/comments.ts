/** Comments of the contracts, which become the docs of the SDKs. */
import type { AnyDesc, DescFile } from '@bufbuild/protobuf';
import { getComments } from '@bufbuild/protoplugin';

/** The comment before a declaration: its lines without the space behind `//`, paragraphs kept; empty when it has none. */
export function docOf(desc: Exclude<AnyDesc, DescFile>): string {
  const { leading, trailing } = getComments(desc);
  return (leading ?? trailing ?? '')
    .split('\n')
    .map((line) => line.replace(/^ /, '').trimEnd())
    .join('\n')
    .trim();
}

/** A doc as lines of at most `width` characters, with empty lines between paragraphs. */
export function wrapped(doc: string, width: number): string[] {
  return doc.split(/\n\s*\n/).flatMap((paragraph, index) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(/\s+/).filter(Boolean)) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    if (line !== '') lines.push(line);
    return index === 0 ? lines : ['', ...lines];
  });
}
