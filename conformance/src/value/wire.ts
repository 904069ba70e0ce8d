/** Values of the runner to and from those of the protocol with the client programs. */
import { create } from '@bufbuild/protobuf';
import { durationFromMs, durationMs } from '@bufbuild/protobuf/wkt';
import { type Value, ValueSchema } from '../gen/gomsg/conformance/v1/conformance_pb.js';
import { type Datum, Fields, isList, Moment, Span } from './datum.ts';

const INT64_MAX = 2n ** 63n - 1n;
const NANOS_PER_MS = 1_000_000;

export function toWire(datum: Datum): Value {
  return create(ValueSchema, { kind: kindOf(datum) });
}

/** An outcome without a value is nothing. */
export function fromWire(value: Value | undefined): Datum {
  if (value === undefined) return null;
  const { kind } = value;
  switch (kind?.case) {
    case undefined:
    case 'null':
      return null;
    case 'duration':
      return new Span(durationMs(kind.value));
    case 'timestamp':
      return new Moment(Number(kind.value.seconds) * 1000 + kind.value.nanos / NANOS_PER_MS);
    case 'list':
      return kind.value.values.map(fromWire);
    case 'fields':
      return new Fields(
        new Map(Object.entries(kind.value.fields).map(([name, field]) => [name, fromWire(field)])),
      );
    default:
      return kind.value;
  }
}

function kindOf(datum: Datum): Value['kind'] {
  if (datum === null) return { case: 'null', value: true };
  if (typeof datum === 'boolean') return { case: 'bool', value: datum };
  if (typeof datum === 'bigint') return { case: datum > INT64_MAX ? 'unsigned' : 'integer', value: datum };
  if (typeof datum === 'number') return { case: 'number', value: datum };
  if (typeof datum === 'string') return { case: 'text', value: datum };
  if (datum instanceof Uint8Array) return { case: 'bytes', value: datum };
  if (datum instanceof Span) return { case: 'duration', value: wireDuration(datum) };
  if (datum instanceof Moment) {
    const seconds = Math.floor(datum.ms / 1000);
    const nanos = Math.round((datum.ms - seconds * 1000) * NANOS_PER_MS);
    return {
      case: 'timestamp',
      value: { $typeName: 'google.protobuf.Timestamp', seconds: BigInt(seconds), nanos },
    };
  }
  if (isList(datum)) {
    return {
      case: 'list',
      value: { $typeName: 'gomsg.conformance.v1.Values', values: datum.map(toWire) },
    };
  }
  const fields = Object.fromEntries([...datum.byName].map(([name, value]) => [name, toWire(value)]));
  return { case: 'fields', value: { $typeName: 'gomsg.conformance.v1.Fields', fields } };
}

/** Durations may be finer than a millisecond. */
export function wireDuration({ ms }: Span): ReturnType<typeof durationFromMs> {
  const whole = Math.trunc(ms);
  const duration = durationFromMs(whole);
  duration.nanos += Math.round((ms - whole) * NANOS_PER_MS);
  return duration;
}
