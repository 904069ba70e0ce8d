/** A key that is counted up and down, as a model. A key that does not exist counts as 0. */
import type { Model } from './model.ts';

export type CounterInput =
  | { readonly kind: 'get' }
  /** Adds `delta`, a safe integer, and answers the sum. */
  | { readonly kind: 'add'; readonly delta: number };

export interface CounterOutput {
  readonly value: number;
}

export const COUNTER: Model<number, CounterInput, CounterOutput> = {
  name: 'counter',
  initial: 0,
  step(state, input, output) {
    const next = input.kind === 'add' ? state + input.delta : state;
    return output === undefined || output.value === next ? { state: next } : undefined;
  },
  stateKey: String,
  inputKey: (input) => (input.kind === 'add' ? String(input.delta) : 'get'),
  isRead: (input) => input.kind === 'get',
  describe: (input, output) =>
    `${input.kind === 'add' ? `add ${input.delta}` : 'get'} → ${output === undefined ? '?' : output.value}`,
  describeState: (state) => `the sum is ${state}`,
};
