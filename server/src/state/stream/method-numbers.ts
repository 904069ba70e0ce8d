/** Numbers of the stream rpcs that are commands: `(gomsg.sdk.v1.method).number` of each. */
export const streamMethod = {
  create: 301,
  configure: 302,
  publish: 303,
  publishBatch: 304,
  ack: 306,
  seek: 309,
  delete: 313,
  purge: 314,
} as const;
