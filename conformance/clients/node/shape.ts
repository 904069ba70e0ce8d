/** The shapes of values, by which they are turned from and into those of the protocol. */

export type Shape =
  | {
      readonly kind:
        | 'string'
        | 'bool'
        | 'int'
        | 'double'
        | 'bytes'
        | 'text'
        | 'duration'
        | 'timestamp'
        | 'enum'
        | 'start';
    }
  | { readonly kind: 'list' | 'map'; readonly of: Shape }
  /** By their names in snake_case: the SDK's name, and the shape. A text is there as bytes too. */
  | { readonly kind: 'fields'; readonly fields: FieldShapes };

export type FieldShapes = Readonly<Record<string, readonly [name: string, shape: Shape]>>;

/** One method of the SDK. */
export interface Method {
  readonly service: 'kv' | 'queue' | 'stream' | 'cluster';
  readonly method: string;
  readonly kind: 'once' | 'iter' | 'stream';
  readonly params: readonly Shape[];
  readonly options: FieldShapes;
  /** Of the result, or of one item; undefined = nothing. */
  readonly result: Shape | undefined;
}

const headers: Shape = { kind: 'map', of: { kind: 'string' } };

/** The types that the SDK defines by hand. */
export const QUEUE_MESSAGE: Shape = {
  kind: 'fields',
  fields: {
    id: ['id', { kind: 'string' }],
    message_id: ['messageId', { kind: 'string' }],
    queue: ['queue', { kind: 'string' }],
    data: ['data', { kind: 'text' }],
    headers: ['headers', headers],
    priority: ['priority', { kind: 'int' }],
    attempt: ['attempt', { kind: 'int' }],
    pushed_at: ['pushedAt', { kind: 'timestamp' }],
    lease_expires_at: ['leaseExpiresAt', { kind: 'timestamp' }],
  },
};

export const STREAM_MESSAGE: Shape = {
  kind: 'fields',
  fields: {
    id: ['id', { kind: 'string' }],
    topic: ['topic', { kind: 'string' }],
    partition: ['partition', { kind: 'int' }],
    offset: ['offset', { kind: 'int' }],
    key: ['key', { kind: 'string' }],
    data: ['data', { kind: 'text' }],
    headers: ['headers', headers],
    published_at: ['publishedAt', { kind: 'timestamp' }],
  },
};

export const STREAM_START: Shape = { kind: 'start' };
