/** What operators should know of a cluster in which nothing is wrong. */
import type { ControlView } from '../state/control/control-machine.ts';
import type { GroupPlacementView } from '../state/control/group-placement.ts';
import { CONTROL_GROUP } from '../state/control/limits.ts';
import type { MemberView } from '../state/control/member.ts';
import { counted } from './counted.ts';
import { nodeOf } from './replica-id.ts';

/**
 * One sentence each.
 *
 * @param held number of data groups of which a node holds a replica, those on their way from it included
 */
export function warningsOf(control: ControlView, held: (node: number) => number): string[] {
  return [...sharedLabels(control), ...departures(control, held)];
}

/** Replicas of one group that fail together, and whether that can be helped. */
function sharedLabels(control: ControlView): string[] {
  const groups = control
    .placements()
    .filter((placement) => placement.group !== CONTROL_GROUP && sharesLabel(placement, control));
  if (groups.length === 0) return [];
  const staying = control.members().filter(({ standing }) => standing === 'active');
  const labels = new Set(staying.map(labelOf)).size;
  const replicas = Math.max(...groups.map(({ desired }) => desired.voters.length));
  const shared = `${counted(groups.length, 'group has', 'groups have')} replicas that share a host label`;
  return [
    labels < replicas
      ? `${shared}: there ${labels === 1 ? 'is one label' : `are ${labels} labels`} for ${replicas} replicas, so what fails together takes more than one; nodes with other labels would part them`
      : `${shared}: they are to be parted as soon as nodes can take them`,
  ];
}

function sharesLabel({ desired }: GroupPlacementView, control: ControlView): boolean {
  const labels = desired.voters.flatMap((replica) => {
    const member = control.member(nodeOf(replica));
    return member === undefined ? [] : [labelOf(member)];
  });
  return new Set(labels).size < labels.length;
}

/** A node without a label fails alone; no label has a control character. */
function labelOf({ number, hostLabel }: MemberView): string {
  return hostLabel === '' ? `\0${number}` : hostLabel;
}

function departures(control: ControlView, held: (node: number) => number): string[] {
  return control
    .members()
    .filter(({ standing }) => standing === 'leaving')
    .map(
      ({ number, nodeId }) =>
        `node ${nodeId} is leaving: ${counted(held(number), 'replica is', 'replicas are')} yet to go`,
    );
}
