/** What the control machine should do, in the plainest words: the property test holds the machine against it. */
import { replicaId } from '../../../cluster/replica-id.ts';

interface ModelNode {
  id: string;
  nonce: string;
  standing: 'active' | 'leaving' | 'left';
}

interface ModelGroup {
  epoch: number;
  /** Node number → replica id. */
  voters: Map<number, number>;
  preferred: number | undefined;
  /** Every replica id that the group ever had. */
  everGiven: Set<number>;
}

export type Verdict = 'done' | 'exists' | 'failed' | 'not-found' | 'not-founded';

export class ControlModel {
  epoch = 0;
  replication = 0;
  nodes: ModelNode[] = [];
  groups: ModelGroup[] = [];
  settings: Record<string, string> = {};

  get isFounded(): boolean {
    return this.epoch > 0;
  }

  found(id: string, nonce: string, replication: number): Verdict {
    const first = this.nodes[0];
    if (first) return first.id === id && first.nonce === nonce ? 'done' : 'exists';
    this.epoch = 1;
    this.replication = replication;
    this.nodes.push({ id, nonce, standing: 'active' });
    for (let group = 0; group < 3; group++) {
      this.groups.push({
        epoch: 1,
        voters: new Map([[1, 1]]),
        preferred: undefined,
        everGiven: new Set([1]),
      });
    }
    return 'done';
  }

  admit(id: string, nonce: string): Verdict {
    if (!this.isFounded) return 'not-founded';
    const known = this.nodes.find((node) => node.id === id);
    if (known) return known.nonce === nonce && known.standing !== 'left' ? 'done' : 'exists';
    this.nodes.push({ id, nonce, standing: 'active' });
    this.groups[0]!.epoch = ++this.epoch;
    return 'done';
  }

  leave(number: number): Verdict {
    const node = this.nodes[number - 1];
    if (!node || node.standing === 'left') return 'not-found';
    if (node.standing === 'leaving') return 'done';
    if (this.nodes.filter(({ standing }) => standing === 'active').length === 1) return 'failed';
    node.standing = 'leaving';
    this.epoch++;
    return 'done';
  }

  left(number: number): Verdict {
    const node = this.nodes[number - 1];
    if (!node) return 'not-found';
    if (node.standing === 'left') return 'done';
    if (node.standing === 'active' || this.groups.some(({ voters }) => voters.has(number))) return 'failed';
    node.standing = 'left';
    this.groups[0]!.epoch = ++this.epoch;
    return 'done';
  }

  place(number: number, nodes: number[], isStale: boolean): Verdict {
    if (!this.isFounded) return 'not-founded';
    const group = this.groups[number]!;
    if (isStale) return 'failed';
    for (const node of nodes) {
      const standing = this.nodes[node - 1]?.standing;
      if (standing === undefined || standing === 'left') return 'not-found';
      if (standing === 'leaving' && !group.voters.has(node)) return 'failed';
    }
    if (nodes.length === group.voters.size && nodes.every((node) => group.voters.has(node))) return 'done';
    const voters = new Map<number, number>();
    for (const node of nodes) {
      let replica = group.voters.get(node);
      for (let incarnation = 0; replica === undefined; incarnation++) {
        const id = replicaId(node, incarnation);
        if (number === 0 || !group.everGiven.has(id)) replica = id;
      }
      group.everGiven.add(replica);
      voters.set(node, replica);
    }
    group.voters = voters;
    group.epoch = ++this.epoch;
    if (group.preferred !== undefined && !voters.has(group.preferred)) group.preferred = undefined;
    return 'done';
  }

  prefer(number: number, node: number): Verdict {
    if (!this.isFounded) return 'not-founded';
    const group = this.groups[number]!;
    if (node > 0 && !group.voters.has(node)) return 'failed';
    group.preferred = node > 0 ? node : undefined;
    return 'done';
  }

  setSetting(name: string, value: string | undefined): Verdict {
    if (!this.isFounded) return 'not-founded';
    if (value === undefined) delete this.settings[name];
    else this.settings[name] = value;
    return 'done';
  }
}
