/**
 * What the key/value machine and service cost by themselves, in µs of CPU an operation: over a Map as store, with a
 * group that applies at once, so without consensus, log, disk and network. Run with `npx node bench/src/kv-machine.ts`.
 */
import { create, type DescMessage, type Message, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import * as kv from '../../server/src/gen/gomsg/v1/kv_pb.js';
import { kvMethods } from '../../server/src/services/kv-service.ts';
import type { Method, UnaryMethod } from '../../server/src/services/method.ts';
import { callContext } from '../../server/src/services/testing/call.ts';
import { InstantGroup, InstantRouter } from '../../server/src/services/testing/instant-group.ts';
import { isFailure } from '../../server/src/state/failure.ts';
import { KvMachine } from '../../server/src/state/kv/kv-machine.ts';
import { kvMethod } from '../../server/src/state/kv/method-numbers.ts';
import type { StateRow, StateStore } from '../../server/src/state/machine.ts';

const OPERATIONS = 400_000;
const KEYS = 10_000;
const ENTRY = 100;
const ROUNDS = 3;
const VALUE = Buffer.alloc(64, 'v');

/** A Map with the copies that the real store makes, and no order: the measured paths do not ask for any. */
class MapStore implements StateStore {
  readonly #rows = new Map<string, Uint8Array>();

  get(key: string): Uint8Array | undefined {
    const value = this.#rows.get(key);
    return value && Buffer.from(value);
  }

  has(key: string): boolean {
    return this.#rows.has(key);
  }

  range(): Iterable<StateRow> {
    return [];
  }

  put(key: string, value: Uint8Array): void {
    this.#rows.set(key, Buffer.from(value));
  }

  insert(key: string, value: Uint8Array): void {
    this.put(key, value);
  }

  delete(key: string): void {
    this.#rows.delete(key);
  }

  deleteRange(): void {
    throw new Error('not measured');
  }
}

interface Call {
  readonly request: Message;
  readonly payload: Uint8Array;
}

function calls<S extends DescMessage>(schema: S, init: (key: string) => MessageInitShape<S>): Call[] {
  return Array.from({ length: KEYS }, (_, i) => {
    const request = create(schema, init(`user:${(i * 7919) % KEYS}:profile`));
    return { request, payload: toBinary(schema, request) };
  });
}

/** Prints the best of the rounds, so that compiling and collecting do not count. */
function measure(name: string, run: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / OPERATIONS);
  }
  console.log(`${name.padEnd(44)} ${best.toFixed(2).padStart(6)} µs`);
}

function applied(
  name: string,
  method: number,
  calls: readonly Call[],
  decoded: boolean,
  listening = false,
): void {
  const machine = new KvMachine(new MapStore(), 1);
  machine.load();
  if (listening) machine.listener = { onChanges: () => {}, onReload: () => {} };
  let index = 0;
  measure(name, () => {
    for (let i = 0; i < OPERATIONS; i++) {
      const call = calls[i % KEYS] as Call;
      const command = { method, payload: call.payload, request: decoded ? call.request : undefined };
      const context = { index, stamp_ms: 1_000_000 + i };
      if (isFailure(machine.apply(command, context))) throw new Error(`${name} failed`);
      if (i % ENTRY === ENTRY - 1) {
        machine.endEntry(context);
        index++;
      }
    }
  });
}

function served(name: string, methods: readonly Method[], method: string, calls: readonly Call[]): void {
  const unary = methods.find((candidate): candidate is UnaryMethod => candidate.desc.localName === method);
  if (unary === undefined) throw new Error(`no method ${method}`);
  const context = callContext();
  let answered = 0;
  const reply = {
    ok: () => {
      answered++;
    },
    fail: (failure: { message: string }) => {
      throw new Error(failure.message);
    },
  };
  measure(name, () => {
    for (let i = 0; i < OPERATIONS; i++) unary.handle((calls[i % KEYS] as Call).payload, context, reply);
  });
  if (answered !== OPERATIONS * ROUNDS) throw new Error(`${name}: ${answered} answers`);
}

const sets = calls(kv.KVServiceSetRequestSchema, (key) => ({ key, value: VALUE }));
const setsWithTtl = calls(kv.KVServiceSetRequestSchema, (key) => ({
  key,
  value: VALUE,
  ttl: { seconds: 60n },
}));
const deletes = calls(kv.KVServiceDeleteRequestSchema, (key) => ({ key }));
const increments = calls(kv.KVServiceIncrementRequestSchema, (key) => ({ key, delta: 3n }));
const gets = calls(kv.KVServiceGetRequestSchema, (key) => ({ key }));
const exists = calls(kv.KVServiceExistsRequestSchema, (key) => ({ key }));

const store = new MapStore();
for (const { key } of sets.map(({ request }) => request as kv.KVServiceSetRequest))
  store.put(`\x00\x01k${key}`, VALUE);
const names = gets.map(({ payload }) => payload.subarray(2));
console.log('the Map store by itself, keys made anew');
measure('  get', () => {
  for (let i = 0; i < OPERATIONS; i++) {
    const name = names[i % KEYS] as Uint8Array;
    const key = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
    if (store.get(`\x00\x01k${key}`) === undefined) throw new Error('a key is missing');
  }
});

console.log(`machine, entries of ${ENTRY} commands`);
applied('  set, decoded', kvMethod.set, sets, true);
applied('  set, from the log', kvMethod.set, sets, false);
applied('  set, decoded, with a listener', kvMethod.set, sets, true, true);
applied('  set with ttl, decoded', kvMethod.set, setsWithTtl, true);
applied('  increment, decoded', kvMethod.increment, increments, true);
applied('  delete of no key, decoded', kvMethod.delete, deletes, true);

const machine = new KvMachine(new MapStore(), 1);
machine.load();
const group = new InstantGroup({ kv: machine });
const limits = { maxKeyBytes: 1024, maxValueBytes: 4 << 20, maxFrameBytes: 16 << 20 };
const methods = kvMethods({ router: new InstantRouter([group]), limits });
for (const { request, payload } of sets) {
  machine.apply({ method: kvMethod.set, payload, request }, { index: 1, stamp_ms: 1 });
}
machine.endEntry({ index: 1, stamp_ms: 1 });
console.log('service, request bytes in, response bytes out, reading at once');
served('  get', methods, 'get', gets);
served('  exists', methods, 'exists', exists);
