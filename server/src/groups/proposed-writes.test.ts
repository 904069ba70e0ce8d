/** Which writes are done, and which ones lost their place, as entries are applied. */
import { describe, expect, it } from 'vitest';
import { type Proposed, ProposedWrites } from './proposed-writes.ts';

function entry(index: number, term: number): Proposed {
  return { index, term, stamp_ms: 0, proposals: [] };
}

/** Applies an entry: what was proposed as it, and what that cost its place, as index/term. */
function apply(writes: ProposedWrites, index: number, term: number) {
  const lost: string[] = [];
  const own = writes.take(index, term, (one) => lost.push(`${one.index}/${one.term}`));
  return { own: own && `${own.index}/${own.term}`, lost };
}

describe('proposed writes', () => {
  it('are done with their entry, and lost to another one at their index', () => {
    const writes = new ProposedWrites();
    for (const index of [5, 6, 7]) writes.push(entry(index, 1));
    expect(apply(writes, 5, 1)).toEqual({ own: '5/1', lost: [] });
    expect(apply(writes, 6, 2)).toEqual({ own: undefined, lost: ['6/1', '7/1'] });
    expect(writes.length).toBe(0);
  });

  it('are done also when the node led before, and its log was longer then', () => {
    const writes = new ProposedWrites();
    for (const index of [6, 7, 8]) writes.push(entry(index, 1));
    // Deposed, cut back to entry 6, and elected again: 7 is the first entry of the new term, and 8 of its writes.
    writes.push(entry(8, 3));
    expect(apply(writes, 6, 1)).toEqual({ own: '6/1', lost: [] });
    expect(apply(writes, 7, 3)).toEqual({ own: undefined, lost: ['7/1', '8/1'] });
    expect(apply(writes, 8, 3)).toEqual({ own: '8/3', lost: [] });
    expect(writes.length).toBe(0);
  });

  it('are lost with the first entry of a later term, also those whose index nobody has used yet', () => {
    const writes = new ProposedWrites();
    for (const index of [6, 7, 8]) writes.push(entry(index, 1));
    expect(apply(writes, 5, 1)).toEqual({ own: undefined, lost: [] });
    expect(apply(writes, 6, 2)).toEqual({ own: undefined, lost: ['6/1', '7/1', '8/1'] });
    expect(writes.length).toBe(0);
  });

  it('wait while what is applied was there before them', () => {
    const writes = new ProposedWrites();
    for (const index of [6, 7]) writes.push(entry(index, 3));
    expect(apply(writes, 4, 1)).toEqual({ own: undefined, lost: [] });
    expect(apply(writes, 5, 3)).toEqual({ own: undefined, lost: [] });
    expect(writes.length).toBe(2);
  });
});
