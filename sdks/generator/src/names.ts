/** Spelling of names. */

/** `QueueStats` → `queue_stats`, `KVEntry` → `kv_entry`: a run of capitals is one word, but for its last before small letters. */
export function lowerSnake(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/** `set_ttl` → `setTTL` with the initialism `ttl`. The first word stays small. */
export function lowerCamel(snake: string, initialisms: ReadonlySet<string>): string {
  const [first, ...rest] = snake.split('_');
  return first + rest.map((word) => capitalized(word, initialisms)).join('');
}

/** `message_id` → `MessageID` with the initialism `id`. */
export function upperCamel(snake: string, initialisms: ReadonlySet<string>): string {
  return snake
    .split('_')
    .map((word) => capitalized(word, initialisms))
    .join('');
}

function capitalized(word: string, initialisms: ReadonlySet<string>): string {
  return initialisms.has(word) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1);
}
