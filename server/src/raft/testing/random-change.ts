/** A change of the members as chance wants it: most are refused, some are hard. */
import type { ConfigurationChange, MemberChange } from '../configuration.ts';
import type { Random } from './random.ts';

export function randomChange(random: Random, nodes: number): ConfigurationChange {
  if (random.chance(0.3)) return { kind: 'leave-joint' };
  const changes: MemberChange[] = [];
  const count = 1 + random.below(3);
  for (let i = 0; i < count; i++) {
    const type = random.pick(['add-voter', 'add-voter', 'add-learner', 'remove'] as const);
    changes.push({ type, node: 1 + random.below(nodes) });
  }
  const transition = random.pick(['automatic', 'automatic', 'joint-auto-leave', 'joint-explicit'] as const);
  return { kind: 'change', changes, transition };
}
