/** Numbers of the commands that only the server proposes; their messages are in `gomsg/internal/v1/commands.proto`. */
export const internalMethod = {
  expireDue: 1001,
  deleteKeys: 1101,
  releaseDeliveries: 1201,
  joinConsumer: 1301,
  leaveConsumer: 1302,
} as const;
