/** Makes some replicas slow at applying what is committed, so that being committed and being applied are far apart. */
import { nodeOf } from '../../../cluster/replica-id.ts';
import { Group } from '../../group.ts';

/** Rounds of the event loop that a slow node needs to apply an entry. */
const TURNS_PER_ENTRY = 60;

/** The nodes with even numbers are slow, in the process as a whole, until what this returns is called. */
export function slowNodes(): () => void {
  const { applySome } = Group.prototype;
  const asked = new WeakMap<Group, number>();
  Group.prototype.applySome = function (this: Group, commandsMin) {
    const times = (asked.get(this) ?? 0) + 1;
    asked.set(this, times);
    if (nodeOf(this.replicaId) % 2 === 1) applySome.call(this, commandsMin);
    else if (times % TURNS_PER_ENTRY === 0) applySome.call(this, 1);
  };
  return () => {
    Group.prototype.applySome = applySome;
  };
}
