/** Numbers of the KV rpcs that are commands: `(gomsg.sdk.v1.method).number` of each. */
export const kvMethod = {
  set: 101,
  delete: 104,
  increment: 105,
  setMany: 107,
  expire: 111,
  persist: 112,
} as const;
