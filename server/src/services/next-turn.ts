/** Resolves in the next turn of the event loop, behind the input and output that waits for this one. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
