/** What somebody threw, which may be anything, as text that can be sent. */
export function thrownText(cause: unknown): string {
  try {
    const text = cause instanceof Error ? cause.message : cause;
    // Half a surrogate pair, which UTF-8 cannot carry, becomes U+FFFD.
    return String(text).toWellFormed();
  } catch {
    return 'something that has no text';
  }
}
