/** The clients of one case, each on wires of its own, and the streams that they have open. */
import type { CallStep, ConnectStep, OpenStep } from '../case.ts';
import type { ClientProcess, Outcome, Pending } from '../client/client-process.ts';
import { ItemAction, StreamForm } from '../gen/gomsg/conformance/v1/conformance_pb.js';
import { Wires } from '../net/wires.ts';
import type { ServerFixture } from '../server/server-fixture.ts';
import { isList, Span, shown } from '../value/datum.ts';
import { evaluate } from '../value/evaluate.ts';
import type { Scope } from '../value/scope.ts';
import { toWire, wireDuration } from '../value/wire.ts';
import { CaseFileError, type MapTree, type Tree } from '../yaml/tree.ts';
import { CaseFailure, within } from './case-failure.ts';
import { Bell, ItemBuffer } from './item-buffer.ts';

/** A client that takes longer than this to close hangs. */
const CLOSE_MS = 25_000;

const CONNECT_MS = 25_000;

const ACTIONS = { ack: ItemAction.ACK, nack: ItemAction.NACK, fail: ItemAction.FAIL } as const;
const FORMS = { handler: StreamForm.HANDLER, iterator: StreamForm.ITERATOR } as const;

export class Clients {
  readonly bell = new Bell();
  readonly #program: ClientProcess;
  readonly #server: ServerFixture;
  /** Before the names of clients and streams, which are those of the whole program. */
  readonly #prefix: string;
  readonly #wires = new Map<string, Promise<Wires>>();
  readonly #connecting = new Map<string, Promise<Outcome>>();
  #ended = false;
  readonly #streams = new Map<string, { readonly buffer: ItemBuffer; readonly method: string }>();

  constructor(program: ClientProcess, server: ServerFixture, prefix: string) {
    this.#program = program;
    this.#server = server;
    this.#prefix = prefix;
  }

  /** The wires of one client; made when they are first asked for. */
  wires(name: string): Promise<Wires> {
    // A case that has failed may be in the middle of a step.
    if (this.#ended) return Promise.reject(new Error('the case is over'));
    let wires = this.#wires.get(name);
    if (wires === undefined) {
      wires = Wires.open(this.#server);
      this.#wires.set(name, wires);
    }
    return wires;
  }

  async connect(step: Pick<ConnectStep, 'client' | 'addresses' | 'options'>, scope: Scope): Promise<Outcome> {
    const { client, options } = step;
    const addresses = await this.#addresses(client, step.addresses, scope);
    const { outcome } = this.#program.request({
      case: 'connect',
      value: { client: this.#named(client), addresses, ...connectOptions(options, scope) },
    });
    this.#connecting.set(client, outcome);
    return outcome;
  }

  async call(step: CallStep, scope: Scope): Promise<Pending> {
    await this.#connected(step, scope);
    return this.#program.request({
      case: 'call',
      value: {
        client: this.#named(step.client),
        method: step.method,
        args: step.args.map((tree) => toWire(evaluate(tree, scope))),
        options: wireOptions(step.options, scope),
        ...(step.timeout === undefined ? {} : { timeout: wireDuration(span(step.timeout, scope)) }),
      },
    });
  }

  cancel(requestId: number): Promise<Outcome> {
    return this.#program.request({ case: 'cancel', value: { requestId } }).outcome;
  }

  async open(step: OpenStep, scope: Scope): Promise<Outcome> {
    await this.#connected(step, scope);
    const stream = this.#named(step.stream);
    const buffer = new ItemBuffer(() => this.bell.ring());
    this.#streams.set(step.stream, { buffer, method: step.method });
    this.#program.listen(stream, (event) => buffer.take(event));
    return this.#program.request({
      case: 'openStream',
      value: {
        client: this.#named(step.client),
        stream,
        method: step.method,
        args: step.args.map((tree) => toWire(evaluate(tree, scope))),
        options: wireOptions(step.options, scope),
        form: FORMS[step.form],
        each: step.each === undefined ? ItemAction.UNSPECIFIED : ACTIONS[step.each],
        handleErrors: step.handlesErrors,
      },
    }).outcome;
  }

  stream(name: string, place: CallStep['place']): { readonly buffer: ItemBuffer; readonly method: string } {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new CaseFileError(place, `no stream is called ${name}`);
    return stream;
  }

  settle(stream: string, item: number, action: 'ack' | 'nack'): Promise<Outcome> {
    return this.#program.request({
      case: 'settle',
      value: { stream: this.#named(stream), item, action: ACTIONS[action] },
    }).outcome;
  }

  closeStream(stream: string): Promise<Outcome> {
    return this.#program.request({ case: 'closeStream', value: { stream: this.#named(stream) } }).outcome;
  }

  closeClient(client: string): Promise<Outcome> {
    return this.#program.request({ case: 'closeClient', value: { client: this.#named(client) } }).outcome;
  }

  /** Closes what is still open. @throws CaseFailure when a client does not close */
  async end(place: CallStep['place']): Promise<void> {
    this.#ended = true;
    try {
      const clients = [...this.#connecting.keys()];
      const closing = clients.map((client) =>
        within(this.closeClient(client), CLOSE_MS, place, `client ${client} did not close`),
      );
      const failed = (await Promise.allSettled(closing)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    } finally {
      for (const stream of this.#streams.keys()) this.#program.forget(this.#named(stream));
      for (const wires of this.#wires.values()) (await wires).close();
    }
  }

  #named(name: string): string {
    return `${this.#prefix}/${name}`;
  }

  async #connected(
    { client, place }: { client: string; place: CallStep['place'] },
    scope: Scope,
  ): Promise<void> {
    const connecting =
      this.#connecting.get(client) ??
      this.connect({ client, addresses: undefined, options: undefined }, scope);
    if (!this.#connecting.has(client)) this.#connecting.set(client, connecting);
    const outcome = await within(connecting, CONNECT_MS, place, `client ${client} was not made`);
    if (outcome.case === 'error')
      throw new CaseFailure(place, `client ${client} was not made: ${outcome.value.message}`);
  }

  /**
   * Those given, with `${link}` (a node behind the client's own wire), `${closed}` (nothing listens there) and `${silent}`
   * (nobody answers there). Of all nodes when none are given.
   */
  async #addresses(client: string, given: Tree | undefined, scope: Scope): Promise<string[]> {
    const own = await this.wires(client);
    if (given === undefined) return [...own.addresses];
    const closed = await this.wires(`${client} closed`);
    await closed.refuse();
    const silent = await this.wires(`${client} silent`);
    silent.stall('requests', 'answers');
    const inner = scope.inner();
    inner.setLocal('link', own.addresses[0]!);
    inner.setLocal('closed', closed.addresses[0]!);
    inner.setLocal('silent', silent.addresses[0]!);
    const addresses = evaluate(given, inner);
    if (!isList(addresses)) throw new CaseFileError(given.place, 'addresses are a list');
    return addresses.map(String);
  }
}

function wireOptions(options: MapTree | undefined, scope: Scope): Record<string, ReturnType<typeof toWire>> {
  if (options === undefined) return {};
  return Object.fromEntries(
    [...options.entries].map(([name, tree]) => [name, toWire(evaluate(tree, scope))]),
  );
}

function span(tree: Tree, scope: Scope): Span {
  const value = evaluate(tree.tag === '' ? ({ ...tree, tag: 'duration' } as Tree) : tree, scope);
  if (!(value instanceof Span)) throw new CaseFileError(tree.place, `${shown(value)} is no duration`);
  return value;
}

function connectOptions(options: MapTree | undefined, scope: Scope) {
  const given: Record<string, unknown> = {};
  for (const [name, tree] of options?.entries ?? []) {
    switch (name) {
      case 'timeout':
        given.timeout = wireDuration(span(tree, scope));
        break;
      case 'unreachable_timeout':
        given.unreachableTimeout = wireDuration(span(tree, scope));
        break;
      case 'max_in_flight_bytes':
        given.maxInFlightBytes = evaluate(tree, scope);
        break;
      case 'max_waiting_calls':
        given.maxWaitingCalls = Number(evaluate(tree, scope));
        break;
      case 'max_collected':
        given.maxCollected = Number(evaluate(tree, scope));
        break;
      default:
        throw new CaseFileError(tree.place, `clients have no option ${name}`);
    }
  }
  return given;
}
