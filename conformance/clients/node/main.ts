/**
 * The conformance client of Node: does what the runner asks on stdin with the public SDK, and answers on stdout. Works
 * on all requests at once, and ends with stdin.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { type Client, connect } from '@gomsg/client';
import {
  type Call,
  type Connect,
  type Request,
  RequestSchema,
  ResponseSchema as Response,
  type ResponseSchema,
} from '../../src/gen/gomsg/conformance/v1/conformance_pb.js';
import { errorToWire } from './errors.ts';
import { METHODS } from './gen/dispatch.ts';
import { OpenStreams } from './streams.ts';
import { fromWire, namedFromWire, toWire } from './values.ts';

const LENGTH_BYTES = 4;

type Outcome = NonNullable<MessageInitShape<typeof ResponseSchema>['outcome']>;

class ConformanceClient {
  /** Timers, sockets and their like that are there without any client. */
  readonly #resourcesAtRest = activeResources();
  readonly #clients = new Map<string, Client>();
  /** Names of those that were not closed yet. */
  readonly #open = new Set<string>();
  readonly #calls = new Map<number, AbortController>();
  readonly #streams = new OpenStreams({
    item: (stream, value) => this.#event(stream, { case: 'item', value }),
    failed: (stream, error) => this.#event(stream, { case: 'failed', value: errorToWire(error) }),
    ended: (stream) => this.#event(stream, { case: 'ended', value: true }),
    handled: (stream, error) => this.#event(stream, { case: 'handled', value: errorToWire(error) }),
  });

  async take(request: Request): Promise<void> {
    try {
      this.#send(request.id, await this.#outcome(request));
    } catch (error) {
      this.#send(request.id, { case: 'error', value: errorToWire(error) });
    }
  }

  async #outcome({ id, action }: Request): Promise<Outcome> {
    const nothing: Outcome = { case: 'result', value: toWire(null, undefined) };
    switch (action.case) {
      case 'connect':
        this.#connect(action.value);
        return nothing;
      case 'call':
        return { case: 'result', value: await this.#call(id, action.value) };
      case 'openStream':
        await this.#streams.open(this.#client(action.value.client), action.value);
        return nothing;
      case 'settle':
        await this.#streams.settle(action.value);
        return nothing;
      case 'closeStream':
        await this.#streams.close(action.value.stream);
        return nothing;
      case 'closeClient':
        return { case: 'closed', value: { leaked: await this.#close(action.value.client) } };
      case 'cancel':
        this.#calls.get(action.value.requestId)?.abort();
        return nothing;
      default:
        throw new TypeError(`the request ${id} asks for nothing that is known`);
    }
  }

  #connect(request: Connect): void {
    const { timeout, unreachableTimeout, maxInFlightBytes, maxWaitingCalls, maxCollected } = request;
    const client = connect(request.addresses, {
      ...(timeout && { timeout: durationMs(timeout) / 1000 }),
      ...(unreachableTimeout && { unreachableTimeout: durationMs(unreachableTimeout) / 1000 }),
      ...(maxInFlightBytes > 0n && { maxInFlightBytes: Number(maxInFlightBytes) }),
      ...(maxWaitingCalls > 0 && { maxWaitingCalls }),
      ...(maxCollected > 0 && { maxCollected }),
    });
    this.#clients.set(request.client, client);
    this.#open.add(request.client);
  }

  async #call(id: number, request: Call) {
    const entry = METHODS[request.method];
    if (entry === undefined) throw new TypeError(`there is no method ${request.method}`);
    const client = this.#client(request.client);
    const { service, method, kind, params, result } = entry;
    const args = request.args.map((value, index) => fromWire(value, params[index]));
    // Options go behind all positional arguments, also those that are missing.
    while (args.length < params.length) args.push(undefined);
    const controller = new AbortController();
    this.#calls.set(id, controller);
    const options = {
      ...namedFromWire(request.options, entry.options),
      ...(request.timeout && { timeout: durationMs(request.timeout) / 1000 }),
      signal: controller.signal,
    };
    try {
      const target = client[service] as unknown as Record<string, (...args: unknown[]) => unknown>;
      const answer = target[method]!(...args, options);
      if (kind !== 'iter') return toWire(await answer, result);
      const elements: unknown[] = [];
      for await (const element of answer as AsyncIterable<unknown>) elements.push(element);
      return toWire(elements, result && { kind: 'list', of: result });
    } finally {
      this.#calls.delete(id);
    }
  }

  /** What all clients so far left behind; 0 while another one is open, since it may be that one's. */
  async #close(name: string): Promise<number> {
    await this.#client(name).close();
    this.#open.delete(name);
    const giveUpAt_ms = performance.now() + CLOSING_MS;
    while (this.#open.size === 0) {
      const left = activeResources() - this.#resourcesAtRest;
      if (left <= 0 || performance.now() >= giveUpAt_ms) return Math.max(0, left);
      // Sockets are gone a moment after they were closed.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return 0;
  }

  #client(name: string): Client {
    const client = this.#clients.get(name);
    if (client === undefined) throw new TypeError(`there is no client ${name}`);
    return client;
  }

  #event(stream: string, what: Extract<Outcome, { case: 'event' }>['value']['what']): void {
    this.#send(0, { case: 'event', value: { stream, ...(what && { what }) } });
  }

  #send(id: number, outcome: Outcome): void {
    const message = toBinary(Response, create(Response, { id, outcome }));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(message.length);
    process.stdout.write(Buffer.concat([length, message]));
  }
}

/** What is left of a client after so long was left behind. */
const CLOSING_MS = 10_000;

/** Kinds of resources that this program itself has: its pipes, and the turns that it waits. */
const OWN_RESOURCES: ReadonlySet<string> = new Set(['PipeWrap', 'WriteWrap', 'Immediate', 'FSReqCallback']);

/** Timers, sockets and their like that keep a process alive. */
function activeResources(): number {
  return process.getActiveResourcesInfo().filter((kind) => !OWN_RESOURCES.has(kind)).length;
}

const program = new ConformanceClient();
let buffered = Buffer.alloc(0);
for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
  buffered = Buffer.concat([buffered, chunk]);
  while (buffered.length >= LENGTH_BYTES) {
    const end = LENGTH_BYTES + buffered.readUInt32BE(0);
    if (buffered.length < end) break;
    void program.take(fromBinary(RequestSchema, buffered.subarray(LENGTH_BYTES, end)));
    buffered = buffered.subarray(end);
  }
}
process.exit(0);
