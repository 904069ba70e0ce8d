/** All that only a member of a cluster needs, as one module: a node that runs alone never loads it. */
export { admission } from './admission.ts';
export { waitingMethods } from './invitation.ts';
export { memberRole } from './member-role.ts';
