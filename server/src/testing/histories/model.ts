/** What a sequential object answers: the specification that histories are held against. */
export interface Model<State, Input, Output> {
  readonly name: string;
  readonly initial: State;
  /**
   * The state after the operation, in a box; undefined when the object cannot have given this output in this state.
   * Without an output, nobody knows what it was, and any is right. Never changes `state`.
   */
  step(state: State, input: Input, output: Output | undefined): { readonly state: State } | undefined;
  /** Equal for equal states alone. */
  stateKey(state: State): string;
  /** Equal for operations that do the same alone. */
  inputKey(input: Input): string;
  /** It changes no state, whatever the state: with no known output it says nothing and can be left out. */
  isRead(input: Input): boolean;
  describe(input: Input, output: Output | undefined): string;
  describeState(state: State): string;
}
