import { queueMethod } from '../../../state/queue/method-numbers.ts';
import type { Proposal } from '../../groups.ts';
import { InstantGroup } from '../../testing/instant-group.ts';

/** A group in which pops take as long as a test wants; everything else applies at once. */
export class HoldingGroup extends InstantGroup {
  /** Pops that wait; undefined = they apply at once. */
  held: Proposal[] | undefined;

  override submit(proposal: Proposal): void {
    if (this.held && proposal.method === queueMethod.pop) this.held.push(proposal);
    else super.submit(proposal);
  }

  /** Applies the pops that wait; later ones apply at once. */
  letGo(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const proposal of held) super.submit(proposal);
  }
}
