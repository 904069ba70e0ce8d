/**
 * Writes where groups are to be and who is to lead them into the control state, on the node that leads the control group.
 *
 * Each run plans anew from what is true then, and what was refused or lost is planned again. All that it remembers is
 * when it last moved something for load; who leads next begins without, and does no harm.
 */
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { GomsgError } from '../../services/errors.ts';
import { defaultPlacementOptions, type PlacementOptions } from '../placement/options.ts';
import type { ClusterPicture } from '../placement/picture.ts';
import { planControlVoters } from '../placement/plan-control.ts';
import { planDepartures } from '../placement/plan-departures.ts';
import { planLeaders } from '../placement/plan-leaders.ts';
import { planReplicas } from '../placement/plan-replicas.ts';
import type { ControlProposals } from './control-proposals.ts';

export interface BalancerParts {
  readonly proposals: Pick<ControlProposals, 'place' | 'preferLeader' | 'markLeft'>;
  /** Undefined while nothing is to be planned: the cluster is not founded, or this node does not lead it. */
  readonly picture: (mayMoveForLoad: boolean) => ClusterPicture | undefined;
  readonly options?: PlacementOptions;
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number;
  /** A proposal did not go through for another reason than that the picture has changed; the next run tries again. */
  readonly onRefused: (error: unknown) => void;
}

export class Balancer {
  readonly #parts: BalancerParts;
  #underWay: Promise<void> | undefined;
  #lastLoadMove_ms = Number.NEGATIVE_INFINITY;

  constructor(parts: BalancerParts) {
    this.#parts = parts;
  }

  /** One plan and its proposals. Asked for during a run, it is that run. Never rejects. */
  run(): Promise<void> {
    this.#underWay ??= this.#run().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #run(): Promise<void> {
    const { proposals, picture: look, options = defaultPlacementOptions, monotonic } = this.#parts;
    const mayMoveForLoad = monotonic() - this.#lastLoadMove_ms >= options.loadRest_ms;
    const picture = look(mayMoveForLoad);
    if (picture === undefined) return;
    const voters = planControlVoters(picture, options);
    const placements = planReplicas(picture, options);
    const moved = new Set(placements.map(({ group }) => group));
    // A group on the move may lose the preferred replica: its leader is planned when it has arrived.
    const leaders = planLeaders(picture, options).filter(({ group }) => !moved.has(group));
    if ([...placements, ...leaders].some(({ reason }) => reason === 'load'))
      this.#lastLoadMove_ms = monotonic();
    await Promise.all(
      [
        ...[...placements, ...(voters ? [voters] : [])].map((change) => proposals.place(change)),
        ...leaders.map((change) => proposals.preferLeader(change)),
        ...planDepartures(picture).map((node) => proposals.markLeft(node)),
      ].map((proposal) => proposal.catch((error: unknown) => this.#refused(error))),
    );
  }

  #refused(error: unknown): void {
    const isOutdated = error instanceof GomsgError && error.reason === ErrorReason.CONDITION_FAILED;
    if (!isOutdated) this.#parts.onRefused(error);
  }
}
