/** The picture that placement is planned from: the control state with what is heard of nodes and groups. */
import type { ControlView } from '../../state/control/control-machine.ts';
import type { GroupPlacementView } from '../../state/control/group-placement.ts';
import { CONTROL_GROUP } from '../../state/control/limits.ts';
import type { ClusterPicture, GroupLoad, GroupPicture, GroupReport } from '../placement/picture.ts';
import { nodeOf } from '../replica-id.ts';

/** A group as its leader tells of it, by replica ids. */
export interface HeardGroup {
  readonly voters: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly settled: boolean;
  readonly caughtUp: readonly bigint[];
}

/** What is heard, at this moment. */
export interface Hearsay {
  /** For how long a node has been down; 0 = it is up. */
  down_ms(node: number): number;
  isDraining(node: number): boolean;
  /** Number of the node that leads the group, and what it says of it; undefined while nobody is known to lead. */
  led(group: number): { readonly node: number; readonly heard: HeardGroup } | undefined;
  /** Smoothed; undefined = not measured for long enough. */
  loadOf(group: number): GroupLoad | undefined;
}

/** Undefined until the cluster is founded. */
export function clusterPicture(
  control: ControlView,
  hearsay: Hearsay,
  mayMoveForLoad: boolean,
): ClusterPicture | undefined {
  const { cluster } = control;
  const controlGroup = control.placement(CONTROL_GROUP);
  if (cluster === undefined || controlGroup === undefined) return undefined;
  const pictures = control.placements().map((placement) => groupPicture(placement, hearsay));
  return {
    nodes: control.members().flatMap(({ number: node, standing, hostLabel }) => {
      if (standing === 'left') return [];
      return [
        { node, standing, hostLabel, down_ms: hearsay.down_ms(node), isDraining: hearsay.isDraining(node) },
      ];
    }),
    groups: pictures.filter(({ group }) => group !== CONTROL_GROUP),
    control: groupPicture(controlGroup, hearsay),
    replication: cluster.replication,
    mayMoveForLoad,
  };
}

function groupPicture(placement: GroupPlacementView, hearsay: Hearsay): GroupPicture {
  const { group, epoch, desired, preferredLeader } = placement;
  return {
    group,
    epoch,
    desired: desired.voters,
    preferredLeader,
    report: groupReport(group, hearsay),
    load: hearsay.loadOf(group),
  };
}

/** A leader that is no member by its own account has just gone: as good as none. */
function groupReport(group: number, hearsay: Hearsay): GroupReport | undefined {
  const led = hearsay.led(group);
  if (led === undefined || hearsay.down_ms(led.node) > 0) return undefined;
  const [voters, votersOutgoing, learners, caughtUp] = [
    led.heard.voters,
    led.heard.votersOutgoing,
    led.heard.learners,
    led.heard.caughtUp,
  ].map((replicas) => replicas.map(Number)) as [number[], number[], number[], number[]];
  const leader = [...voters, ...votersOutgoing].find((replica) => nodeOf(replica) === led.node);
  if (leader === undefined) return undefined;
  const { settled } = led.heard;
  return { leader, voters, votersOutgoing, learners, settled, caughtUp };
}
