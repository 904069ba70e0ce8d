/** Numbers of the queue rpcs that are commands: `(gomsg.sdk.v1.method).number` of each. */
export const queueMethod = {
  create: 201,
  configure: 202,
  push: 203,
  pushBatch: 204,
  pop: 205,
  ack: 207,
  nack: 208,
  extend: 209,
  purge: 212,
  delete: 213,
  redrive: 215,
} as const;
