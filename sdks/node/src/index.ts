/** The Node client of gomsg: `connect` and what it gives. */
export type { TlsOptions, Token } from './channel.ts';
export { type Client, connect } from './client.ts';
export type { ClientOptions } from './client-options.ts';
export { ErrorReason, GomsgError } from './errors.ts';
export type { CallOptions } from './faces/call-options.ts';
export * from './faces/gen/public.ts';
export type { Moment, Text } from './faces/input.ts';
export type { CallInfo, CallResult, Hooks, LogLevel } from './hooks.ts';
export { type NackOptions, QueueMessage } from './messages/queue-message.ts';
export { StreamMessage } from './messages/stream-message.ts';
export type { StreamStart } from './messages/stream-start.ts';
export type { HandlerOptions, StreamOptions } from './streams/streams.ts';
export { type ErrorHandler, type Handler, Subscription } from './streams/subscription.ts';
