import { prefixEnd } from '../../state/keys.ts';
import type { Glob } from '../../state/kv/glob.ts';
import type { PageOptions } from '../../state/kv/page.ts';
import type { KvLimits } from './deps.ts';

/** The part of the keys that can match a pattern; what no key is long enough for is an empty range. */
export function globRange(
  glob: Glob,
  { maxKeyBytes }: KvLimits,
): Required<Pick<PageOptions, 'from' | 'glob'>> & Pick<PageOptions, 'to'> {
  const { prefix } = glob;
  if (prefix.length > maxKeyBytes) return { from: '', to: '', glob };
  return { from: prefix, to: glob.isLiteral ? `${prefix}\0` : prefixEnd(prefix), glob };
}
