import type { ControlView } from '../state/control/control-machine.ts';

/** What a node knows of its cluster before it holds the control group. */
export const NO_CONTROL_STATE: ControlView = {
  cluster: undefined,
  members: () => [],
  member: () => undefined,
  memberById: () => undefined,
  numberOf: () => undefined,
  placements: () => [],
  placement: () => undefined,
  wasGiven: () => false,
  groupOfSlot: () => undefined,
  setting: () => undefined,
  settings: () => [],
};
