/**
 * A client program without an SDK behind it: keys and queues in its own memory, right or broken in one way. With it the
 * runner's own tests show that what is broken is caught. `node fake-program.ts [fault]`.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { FrameReader } from '../client/frames.ts';
import {
  type Call,
  type ErrorSchema,
  RequestSchema,
  ResponseSchema,
  type Value,
} from '../gen/gomsg/conformance/v1/conformance_pb.js';
import { type Datum, Fields } from '../value/datum.ts';
import { fromWire, toWire } from '../value/wire.ts';

export type Fault =
  | 'none'
  | 'loses'
  | 'duplicates'
  | 'answers-wrongly'
  | 'hangs'
  | 'ends'
  | 'wrong-family'
  | 'leaks'
  | 'late-items';

const fault = (process.argv[2] ?? 'none') as Fault;
const values = new Map<string, string>();
const queues = new Map<string, string[]>();

class CallFailure extends Error {
  readonly error: MessageInitShape<typeof ErrorSchema>;

  constructor(error: MessageInitShape<typeof ErrorSchema>) {
    super(error.message ?? '');
    this.error = error;
  }
}

function answer({ method, args }: Call): Datum {
  const [name, value] = args.map((arg: Value) => fromWire(arg)) as [string, string?];
  switch (method) {
    case 'kv.set':
      if (fault !== 'loses') values.set(name, value!);
      return null;
    case 'kv.get': {
      const found = values.get(name);
      if (found === undefined) {
        throw new CallFailure({
          reason: 'KEY_NOT_FOUND',
          code: 5,
          family: fault === 'wrong-family' ? 'internal' : 'not_found',
          message: `kv.get: ${name} does not exist`,
          subject: name,
          method: 'kv.get',
        });
      }
      return fault === 'answers-wrongly' ? `${found}?` : found;
    }
    case 'queue.push': {
      const queue = queues.get(name) ?? [];
      queues.set(name, queue);
      queue.push(value!);
      if (fault === 'duplicates') queue.push(value!);
      return `${name}#${queue.length}`;
    }
    case 'queue.pop': {
      const data = queues.get(name)?.shift();
      return data === undefined ? null : new Fields(new Map([['data', data]]));
    }
    default:
      throw new Error(`the fake knows no ${method}`);
  }
}

function send(init: MessageInitShape<typeof ResponseSchema>): void {
  const body = toBinary(ResponseSchema, create(ResponseSchema, init));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  process.stdout.write(Buffer.concat([length, body]));
}

function item(stream: string, datum: Datum): void {
  send({
    outcome: { case: 'event', value: { stream, what: { case: 'item', value: toWire(datum) } } },
  });
}

const requests = new FrameReader((frame) => {
  const { id, action } = fromBinary(RequestSchema, frame);
  switch (action.case) {
    case 'call':
      if (fault === 'hangs') return;
      if (fault === 'ends') process.exit(3);
      try {
        send({ id, outcome: { case: 'result', value: toWire(answer(action.value)) } });
      } catch (error) {
        if (!(error instanceof CallFailure)) throw error;
        send({ id, outcome: { case: 'error', value: error.error } });
      }
      return;
    case 'openStream':
      send({ id, outcome: { case: 'result', value: toWire(null) } });
      item(action.value.stream, 'first');
      item(action.value.stream, 'second');
      return;
    case 'closeStream':
      send({
        outcome: {
          case: 'event',
          value: { stream: action.value.stream, what: { case: 'ended', value: true } },
        },
      });
      if (fault === 'late-items') item(action.value.stream, 'late');
      send({ id, outcome: { case: 'result', value: toWire(null) } });
      return;
    case 'closeClient':
      send({ id, outcome: { case: 'closed', value: { leaked: fault === 'leaks' ? 2 : 0 } } });
      return;
    default:
      send({ id, outcome: { case: 'result', value: toWire(null) } });
  }
});

process.stdin.on('data', (piece: Buffer) => requests.push(piece));
