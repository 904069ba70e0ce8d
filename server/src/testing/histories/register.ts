/** A key with a value, as a model. */
import type { Model } from './model.ts';

/**
 * Values of a history should be unique, so that a value names its write. A condition on a version is recorded as one
 * on the value that had this version.
 */
export type RegisterInput =
  | { readonly kind: 'get' }
  | { readonly kind: 'set'; readonly value: string }
  /** Sets `value` if the key has the value `expected`; null: if it does not exist. */
  | { readonly kind: 'cas'; readonly expected: string | null; readonly value: string }
  | { readonly kind: 'delete' };

export interface RegisterOutput {
  /** Of get: null when the key does not exist. */
  readonly value?: string | null;
  /** Of cas: whether the condition held. Of delete: whether the key existed. */
  readonly applied?: boolean;
}

/** null: the key does not exist. */
export type RegisterState = string | null;

export const REGISTER: Model<RegisterState, RegisterInput, RegisterOutput> = {
  name: 'register',
  initial: null,
  step(state, input, output) {
    switch (input.kind) {
      case 'get':
        return output === undefined || output.value === state ? { state } : undefined;
      case 'set':
        return { state: input.value };
      case 'cas': {
        const applied = state === input.expected;
        if (output !== undefined && output.applied !== applied) return undefined;
        return { state: applied ? input.value : state };
      }
      case 'delete':
        return output === undefined || output.applied === (state !== null) ? { state: null } : undefined;
    }
  },
  stateKey: (state) => JSON.stringify(state),
  inputKey: (input) => JSON.stringify(input),
  isRead: (input) => input.kind === 'get',
  describe(input, output) {
    switch (input.kind) {
      case 'get':
        return `get → ${output === undefined ? '?' : JSON.stringify(output.value)}`;
      case 'set':
        return `set ${JSON.stringify(input.value)} → ${output === undefined ? '?' : 'ok'}`;
      case 'cas':
        return `cas ${JSON.stringify(input.expected)} to ${JSON.stringify(input.value)} → ${output?.applied ?? '?'}`;
      case 'delete':
        return `delete → ${output?.applied ?? '?'}`;
    }
  },
  describeState: (state) =>
    state === null ? 'the key does not exist' : `the value is ${JSON.stringify(state)}`,
};
