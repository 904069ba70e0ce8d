/** Steps from their YAML. Strict: what is not known is refused, with file and line. */
import {
  type CallStep,
  type Expectation,
  type ExpectedError,
  type Keep,
  NETWORK_ACTIONS,
  NODE_ACTIONS,
  NODE_CHOICES,
  type OpenStep,
  type Step,
} from './case.ts';
import { isReason } from './catalogue.ts';
import { MapReader, wordOf } from './yaml/reader.ts';
import { CaseFileError, type Tree } from './yaml/tree.ts';

/** How long a step waits when it does not say. */
const WITHIN_MS = 25_000;

export function parseSteps(tree: Tree): readonly Step[] {
  if (tree.kind !== 'list') throw new CaseFileError(tree.place, 'steps are a list');
  return tree.items.map(parseStep);
}

function parseStep(tree: Tree): Step {
  const reader = new MapReader(tree, 'a step');
  const kind = KINDS.find((name) => reader.has(name));
  if (kind === undefined) throw new CaseFileError(tree.place, `a step is one of ${KINDS.join(', ')}`);
  const step = PARSERS[kind]!(reader);
  reader.end();
  return step;
}

const PARSERS: Readonly<Record<string, (step: MapReader) => Step>> = {
  connect: (step) => ({
    do: 'connect',
    place: step.place,
    client: step.requiredWord('connect'),
    addresses: step.tree('addresses'),
    options: step.map('options'),
    expect: expectation(step),
  }),
  close: (step) => ({
    do: 'close',
    place: step.place,
    client: step.requiredWord('close'),
    leaked: step.tree('leaked'),
  }),
  call: parseCall,
  await: (step) => ({
    do: 'await',
    place: step.place,
    call: step.requiredWord('await'),
    expect: expectation(step),
    within_ms: within(step),
    keep: keep(step),
  }),
  cancel: (step) => ({ do: 'cancel', place: step.place, call: step.requiredWord('cancel') }),
  open: parseOpen,
  items: (step) => {
    const streams = step.required('items');
    return {
      do: 'items',
      place: step.place,
      streams:
        streams.kind === 'list'
          ? streams.items.map((item) => wordOf(item, 'items'))
          : [wordOf(streams, 'items')],
      count: step.tree('count'),
      expect: step.tree('expect'),
      within_ms: within(step),
      keep: keep(step),
    };
  },
  settle: (step) => ({
    do: 'settle',
    place: step.place,
    stream: step.requiredWord('settle'),
    item: step.required('item'),
    action: step.oneOf('action', ['ack', 'nack'] as const) ?? 'ack',
    expect: expectation(step),
    within_ms: within(step),
  }),
  ended: (step) => ({
    do: 'ended',
    place: step.place,
    stream: step.requiredWord('ended'),
    error: expectedError(step.tree('error')),
    within_ms: within(step),
  }),
  handled: (step) => ({
    do: 'handled',
    place: step.place,
    stream: step.requiredWord('handled'),
    error: expectedError(step.required('error'))!,
    within_ms: within(step),
  }),
  close_stream: (step) => ({
    do: 'close_stream',
    place: step.place,
    stream: step.requiredWord('close_stream'),
  }),
  network: (step) => {
    step.required('network');
    const action = step.oneOf('network', NETWORK_ACTIONS)!;
    return {
      do: 'network',
      place: step.place,
      link: step.word('of') ?? DEFAULT_CLIENT,
      action,
      time_ms: step.duration_ms('time') ?? 0,
      bytes: step.tree('bytes'),
      times: step.tree('times'),
    };
  },
  node: (step) => ({
    do: 'node',
    place: step.place,
    action: step.oneOf('node', NODE_ACTIONS)!,
    choice: step.oneOf('which', NODE_CHOICES) ?? 'all',
    groupOf: step.tree('of'),
  }),
  leader_kill: (step) => {
    step.oneOf('leader_kill', ['here'] as const);
    return { do: 'leader_kill', place: step.place };
  },
  answer: (step) => ({
    do: 'answer',
    place: step.place,
    method: step.requiredWord('answer'),
    reason: reasonTree(step),
    retryAfter_ms: step.duration_ms('retry_after'),
    times: step.tree('times'),
    subject: step.tree('subject'),
  }),
  let: (step) => {
    step.required('let');
    return { do: 'let', place: step.place, variables: step.map('let')!.entries };
  },
  check: (step) => ({
    do: 'check',
    place: step.place,
    value: step.required('check'),
    expect: step.required('expect'),
  }),
  mark: (step) => ({ do: 'mark', place: step.place, name: step.requiredWord('mark') }),
  elapsed: (step) => ({
    do: 'elapsed',
    place: step.place,
    since: step.requiredWord('elapsed'),
    atLeast_ms: step.duration_ms('at_least') ?? 0,
    atMost_ms: step.duration_ms('at_most') ?? Number.POSITIVE_INFINITY,
  }),
  repeat: (step) => ({
    do: 'repeat',
    place: step.place,
    times: step.required('repeat'),
    concurrently: step.tree('concurrently'),
    steps: parseSteps(step.required('steps')),
  }),
  parallel: (step) => {
    step.required('parallel');
    return {
      do: 'parallel',
      place: step.place,
      branches: step.list('parallel')!.items.map(parseSteps),
    };
  },
};

const KINDS = Object.keys(PARSERS);

/** The client of steps that name none; it connects when the first of them needs it. */
export const DEFAULT_CLIENT = 'main';

function parseCall(step: MapReader): CallStep {
  const eventually = step.has('eventually') || step.has('eventually_error');
  return {
    do: 'call',
    place: step.place,
    method: step.requiredWord('call'),
    client: step.word('client') ?? DEFAULT_CLIENT,
    args: step.list('args')?.items ?? [],
    options: step.map('options'),
    timeout: step.tree('timeout'),
    expect: eventually ? expectation(step, 'eventually', 'eventually_error') : expectation(step),
    eventually,
    start: step.word('start'),
    within_ms: within(step),
    keep: keep(step),
  };
}

function parseOpen(step: MapReader): OpenStep {
  return {
    do: 'open',
    place: step.place,
    method: step.requiredWord('open'),
    stream: step.requiredWord('stream'),
    client: step.word('client') ?? DEFAULT_CLIENT,
    args: step.list('args')?.items ?? [],
    options: step.map('options'),
    form: step.oneOf('form', ['handler', 'iterator'] as const) ?? 'handler',
    each: step.oneOf('each', ['ack', 'nack', 'fail'] as const),
    handlesErrors: step.flag('handle_errors'),
    expect: expectation(step),
    within_ms: within(step),
  };
}

function within(step: MapReader): number {
  return step.duration_ms('within') ?? WITHIN_MS;
}

function keep(step: MapReader): Keep {
  return { bind: step.word('bind'), collect: step.word('collect') };
}

function expectation(step: MapReader, valueName = 'expect', errorName = 'error'): Expectation {
  const tree = step.tree(valueName);
  const error = expectedError(step.tree(errorName));
  if (tree !== undefined && error !== undefined) return { kind: 'either', tree, error };
  if (tree !== undefined) return { kind: 'value', tree };
  return error === undefined ? { kind: 'success' } : { kind: 'error', error };
}

/** `KEY_NOT_FOUND`, `[A, B]` for either, or `{reason: …, subject: …, message: …, method: …}`. */
function expectedError(tree: Tree | undefined): ExpectedError | undefined {
  if (tree === undefined) return undefined;
  if (tree.kind !== 'map') {
    return {
      place: tree.place,
      reasons: reasons(tree),
      subject: undefined,
      message: undefined,
      method: undefined,
    };
  }
  const reader = new MapReader(tree, 'an error');
  const error = {
    place: tree.place,
    reasons: reasons(reader.required('reason')),
    subject: reader.tree('subject'),
    message: reader.tree('message'),
    method: reader.tree('method'),
  };
  reader.end();
  return error;
}

function reasons(tree: Tree): readonly string[] {
  const names = tree.kind === 'list' ? tree.items : [tree];
  return names.map((name) => {
    const reason = wordOf(name, 'a reason');
    if (!isReason(reason)) throw new CaseFileError(name.place, `the catalogue has no reason ${reason}`);
    return reason;
  });
}

function reasonTree(step: MapReader): Tree | undefined {
  const tree = step.tree('reason');
  if (tree !== undefined) reasons(tree);
  return tree;
}
