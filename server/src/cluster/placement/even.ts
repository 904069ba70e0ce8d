/** What counts as even. */

export interface CountRange {
  readonly low: number;
  readonly high: number;
}

/** The counts around `total / nodes` that need no move: its two whole neighbours, or what the tolerance allows. */
export function evenCounts(total: number, nodes: number, tolerance: number): CountRange {
  const share = nodes === 0 ? 0 : total / nodes;
  return {
    low: Math.min(Math.floor(share), Math.ceil(share * (1 - tolerance))),
    high: Math.max(Math.ceil(share), Math.floor(share * (1 + tolerance))),
  };
}

/** Whether taking one from the first to the second brings an uneven pair closer. */
export function evensOut(more: number, fewer: number, { low, high }: CountRange): boolean {
  return more - fewer >= 2 && (more > high || fewer < low);
}
