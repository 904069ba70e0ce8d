/** Values and payloads as text for a terminal, which some bytes would command. */
import { isUtf8 } from 'node:buffer';
import { humanBytes } from './human.ts';

/** C0 but tab and line feed, DEL, and C1: a terminal may act on them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** The text with control characters written out, or, when the bytes are no text, what they are. */
export function safeContent(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) return `(${humanBytes(bytes.length)}, not text: redirect it, or use --output json)`;
  return safeText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
}

export function safeText(text: string): string {
  return text.replace(CONTROL, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
