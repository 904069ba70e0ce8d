/** A case: what it shows, what it needs, and its steps. How they are written is described in the README. */
import type { MapTree, Place, Tree } from './yaml/tree.ts';

/** Kinds of servers that a case can ask for. */
export const SERVER_KINDS = [
  'shared',
  'limits',
  'tiny',
  'own',
  'networked',
  'forgetful',
  'scripted',
] as const;

export type ServerKind = (typeof SERVER_KINDS)[number];

export interface Case {
  /** `queue/leases/late-ack`: folder, file and the case's own name. */
  readonly id: string;
  readonly shows: string;
  readonly place: Place;
  readonly server: ServerKind;
  /** SDKs that it is for; empty = all. */
  readonly sdks: readonly string[];
  /** Nodes of the server that it is for: a lone one, or a cluster of three; undefined = either. */
  readonly nodes: 1 | 3 | undefined;
  /** Why its leader cannot be killed in the middle; undefined = it can. */
  readonly needsLeader: string | undefined;
  /** Runs in a client program of its own with nothing beside it, so that what a client leaves behind can be counted. */
  readonly alone: boolean;
  /** Most time that all steps may take, milliseconds. */
  readonly timeout_ms: number;
  readonly steps: readonly Step[];
}

interface StepBase {
  readonly place: Place;
}

/** What must come of a call. */
export type Expectation =
  | { readonly kind: 'value'; readonly tree: Tree }
  | { readonly kind: 'error'; readonly error: ExpectedError }
  /** A value, or this error. */
  | { readonly kind: 'either'; readonly tree: Tree; readonly error: ExpectedError }
  | { readonly kind: 'success' };

/** An error by its reason; code, family and whether it is retryable follow from the catalogue and are checked too. */
export interface ExpectedError {
  readonly place: Place;
  /** Any of these. */
  readonly reasons: readonly string[];
  readonly subject: Tree | undefined;
  readonly message: Tree | undefined;
  readonly method: Tree | undefined;
}

/** What is kept of a result. */
export interface Keep {
  /** Variable that becomes the result. */
  readonly bind: string | undefined;
  /** List that the result is appended to. */
  readonly collect: string | undefined;
}

export interface ConnectStep extends StepBase {
  readonly do: 'connect';
  readonly client: string;
  /** Of `via` (the client's own link), or as given: `${link}`, `${closed_port}`. */
  readonly addresses: Tree | undefined;
  readonly options: MapTree | undefined;
  readonly expect: Expectation;
}

export interface CloseStep extends StepBase {
  readonly do: 'close';
  readonly client: string;
  readonly leaked: Tree | undefined;
}

export interface CallStep extends StepBase {
  readonly do: 'call';
  readonly method: string;
  readonly client: string;
  readonly args: readonly Tree[];
  readonly options: MapTree | undefined;
  readonly timeout: Tree | undefined;
  readonly expect: Expectation;
  /** Repeat the call until the expectation holds. */
  readonly eventually: boolean;
  /** Do not wait: a later step awaits or cancels it by this name. */
  readonly start: string | undefined;
  readonly within_ms: number;
  readonly keep: Keep;
}

export interface AwaitStep extends StepBase {
  readonly do: 'await';
  readonly call: string;
  readonly expect: Expectation;
  readonly within_ms: number;
  readonly keep: Keep;
}

export interface CancelStep extends StepBase {
  readonly do: 'cancel';
  readonly call: string;
}

export interface OpenStep extends StepBase {
  readonly do: 'open';
  readonly method: string;
  readonly stream: string;
  readonly client: string;
  readonly args: readonly Tree[];
  readonly options: MapTree | undefined;
  readonly form: 'handler' | 'iterator';
  readonly each: 'ack' | 'nack' | 'fail' | undefined;
  readonly handlesErrors: boolean;
  readonly expect: Expectation;
  readonly within_ms: number;
}

export interface ItemsStep extends StepBase {
  readonly do: 'items';
  /** Items are taken from these streams together: whichever yields them. */
  readonly streams: readonly string[];
  readonly count: Tree | undefined;
  readonly expect: Tree | undefined;
  readonly within_ms: number;
  readonly keep: Keep;
}

export interface SettleStep extends StepBase {
  readonly do: 'settle';
  readonly stream: string;
  readonly item: Tree;
  readonly action: 'ack' | 'nack';
  readonly expect: Expectation;
  readonly within_ms: number;
}

export interface EndedStep extends StepBase {
  readonly do: 'ended';
  readonly stream: string;
  /** undefined = without an error. */
  readonly error: ExpectedError | undefined;
  readonly within_ms: number;
}

export interface HandledStep extends StepBase {
  readonly do: 'handled';
  readonly stream: string;
  readonly error: ExpectedError;
  readonly within_ms: number;
}

export interface CloseStreamStep extends StepBase {
  readonly do: 'close_stream';
  readonly stream: string;
}

export const NETWORK_ACTIONS = [
  'cut',
  'stall',
  'stall_requests',
  'stall_answers',
  'resume',
  'refuse',
  'accept',
  'delay',
  'cut_every',
  'await_connection',
] as const;

export interface NetworkStep extends StepBase {
  readonly do: 'network';
  /** Name of the client whose link it is. */
  readonly link: string;
  readonly action: (typeof NETWORK_ACTIONS)[number];
  /** With `delay`. */
  readonly time_ms: number;
  /** With `cut_every`. */
  readonly bytes: Tree | undefined;
  readonly times: Tree | undefined;
}

export const NODE_ACTIONS = [
  'kill',
  'stop',
  'start',
  'restart',
  'pause',
  'continue',
  'isolate',
  'cut_off',
  'heal',
] as const;

export type NodeAction = (typeof NODE_ACTIONS)[number];

/** Of a cluster: all (those that are restarted one after the other), the leader of a group, a running node that does not lead it, or those that are down. */
export const NODE_CHOICES = ['all', 'leader', 'follower', 'down'] as const;

export type NodeChoice = (typeof NODE_CHOICES)[number];

export interface NodeStep extends StepBase {
  readonly do: 'node';
  readonly action: NodeAction;
  readonly choice: NodeChoice;
  /** The group is that of this name. Default: the first group of data. */
  readonly groupOf: Tree | undefined;
}

/** Where the leader is killed in a run that kills leaders; nothing in others. */
export interface LeaderKillStep extends StepBase {
  readonly do: 'leader_kill';
}

/** What the scripted server answers to calls of one method, `times` many. */
export interface AnswerStep extends StepBase {
  readonly do: 'answer';
  readonly method: string;
  readonly reason: Tree | undefined;
  readonly retryAfter_ms: number | undefined;
  readonly times: Tree | undefined;
  readonly subject: Tree | undefined;
}

export interface LetStep extends StepBase {
  readonly do: 'let';
  readonly variables: ReadonlyMap<string, Tree>;
}

export interface CheckStep extends StepBase {
  readonly do: 'check';
  readonly value: Tree;
  readonly expect: Tree;
}

export interface MarkStep extends StepBase {
  readonly do: 'mark';
  readonly name: string;
}

export interface ElapsedStep extends StepBase {
  readonly do: 'elapsed';
  readonly since: string;
  readonly atLeast_ms: number;
  readonly atMost_ms: number;
}

export interface RepeatStep extends StepBase {
  readonly do: 'repeat';
  readonly times: Tree;
  /** Rounds under way at a time. */
  readonly concurrently: Tree | undefined;
  readonly steps: readonly Step[];
}

export interface ParallelStep extends StepBase {
  readonly do: 'parallel';
  readonly branches: readonly (readonly Step[])[];
}

export type Step =
  | ConnectStep
  | CloseStep
  | CallStep
  | AwaitStep
  | CancelStep
  | OpenStep
  | ItemsStep
  | SettleStep
  | EndedStep
  | HandledStep
  | CloseStreamStep
  | NetworkStep
  | NodeStep
  | LeaderKillStep
  | AnswerStep
  | LetStep
  | CheckStep
  | MarkStep
  | ElapsedStep
  | RepeatStep
  | ParallelStep;

/** Every step, also those inside others. */
export function* allSteps(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    yield step;
    if (step.do === 'repeat') yield* allSteps(step.steps);
    if (step.do === 'parallel') for (const branch of step.branches) yield* allSteps(branch);
  }
}
