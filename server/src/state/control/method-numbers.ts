/** Numbers of the commands of the control group; their messages are in `gomsg/internal/v1/control.proto`. */
export const controlMethod = {
  foundCluster: 1401,
  admitNode: 1402,
  updateNode: 1403,
  markLeaving: 1404,
  markLeft: 1405,
  placeGroup: 1406,
  preferLeader: 1407,
  setReplication: 1408,
  changeSetting: 1409,
  raiseLevel: 1410,
} as const;
