/** Who belongs to the cluster and where they are, as far as this node knows. */
import type { ControlView } from '../state/control/control-machine.ts';
import type { JoinedMember } from './links/join.ts';
import type { NodeLocation } from './links/options.ts';
import { NO_CONTROL_STATE } from './no-control-state.ts';

export class Directory {
  readonly #controlState: () => ControlView | undefined;
  readonly #seeds: ReadonlyMap<number, JoinedMember>;

  /**
   * @param controlState of this node's replica of the control group, once it has one
   * @param seeds members that its admission named: all that it knows of until it holds the control state
   */
  constructor(controlState: () => ControlView | undefined, seeds: readonly JoinedMember[]) {
    this.#controlState = controlState;
    this.#seeds = new Map(seeds.map((seed) => [seed.number, seed]));
  }

  get control(): ControlView {
    return this.#controlState() ?? NO_CONTROL_STATE;
  }

  /** All that have not left, this node included. */
  members(): JoinedMember[] {
    const known = this.control.members().filter(({ standing }) => standing !== 'left');
    if (known.length === 0) return [...this.#seeds.values()];
    return known.map(({ number, nodeId, address }) => ({ number, nodeId, address }));
  }

  locate(node: number): NodeLocation | undefined {
    if (this.control.cluster === undefined) return this.#seeds.get(node);
    const member = this.control.member(node);
    if (member !== undefined && member.standing !== 'left') return member;
    // A node that was admitted a moment ago may know more members than its control state does yet.
    return member === undefined ? this.#seeds.get(node) : undefined;
  }

  /** Whether a node was a member and has left for good. */
  hasLeft(node: number, nodeId: string): boolean {
    const member = this.control.member(node);
    return member?.standing === 'left' && member.nodeId === nodeId;
  }

  /** What to call a node in messages for people. */
  nameOf(node: number): string {
    return this.control.member(node)?.nodeId ?? `node number ${node}`;
  }
}
