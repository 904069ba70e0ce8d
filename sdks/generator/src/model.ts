/**
 * What the SDKs have in common, read off the contracts: services with their methods, types, and errors. The emitters
 * of the languages see only this.
 *
 * Names here are in snake_case, as in the contracts; each emitter spells them by its language's custom.
 */
import type { DescEnum, DescField, DescMessage, DescMethod, DescOneof } from '@bufbuild/protobuf';
import type { Resume } from './gen/gomsg/sdk/v1/options_pb.js';

export { Resume } from './gen/gomsg/sdk/v1/options_pb.js';

export interface SdkModel {
  /** Services that have faces, in the order of the files: kv, queue, stream, cluster. */
  readonly services: readonly ServiceModel[];
  /** Every rpc that has a number, also those without a face (sessions). */
  readonly rpcs: readonly RpcModel[];
  /** Types that parameters, options, results and items need, each before those that use it. */
  readonly messages: readonly MessageModel[];
  readonly enums: readonly EnumModel[];
  /** The error catalogue, by number. */
  readonly reasons: readonly ReasonModel[];
}

export interface ServiceModel {
  /** `kv`, `queue`, `stream`, `cluster`: the name of the property of a client. */
  readonly name: string;
  /** `gomsg.v1.KVService`. */
  readonly typeName: string;
  readonly doc: string;
  readonly faces: readonly FaceModel[];
}

export type Idempotency = 'unknown' | 'idempotent' | 'no_side_effects';

export interface RpcModel {
  readonly desc: DescMethod;
  /** `gomsg.v1.KVService/Set`. */
  readonly path: string;
  /** Its number in the pipeline. */
  readonly number: number;
  readonly idempotency: Idempotency;
  /** Fields that lead to the name whose slot decides where the call goes; empty = any node. A repeated one: its first. */
  readonly route: readonly DescField[];
  /** Field of the request for whose duration the server may wait before it answers. */
  readonly extendsTimeout: DescField | undefined;
}

export type FaceKind = 'unary' | 'pages' | 'stream';

/** A method of the SDKs. With `pages` there are two: one that collects, and one with `_iter` behind its name. */
export interface FaceModel {
  /** `set_ttl`. */
  readonly name: string;
  /** Names that differ from the custom of a language. */
  readonly spelled: { readonly go?: string; readonly node?: string; readonly python?: string };
  readonly service: string;
  readonly doc: string;
  readonly rpc: RpcModel;
  readonly kind: FaceKind;
  readonly params: readonly ParamModel[];
  readonly presets: readonly PresetModel[];
  readonly options: readonly OptionModel[];
  /** What a unary method returns, or the list that a paged one collects; undefined = nothing. Never set for streams. */
  readonly result: ResultModel | undefined;
  /** What a stream yields. */
  readonly stream: StreamModel | undefined;
  /** The result is text as a rule, so that a second method with `_bytes` behind its name gives the bytes. */
  readonly hasBytesTwin: boolean;
}

/** A place in a request: fields from the request downward. The last may be in a oneof, which it then selects. */
export type FieldPath = readonly DescField[];

export interface ParamModel {
  readonly name: string;
  readonly doc: string;
  readonly path: FieldPath;
  /** What the caller gives. */
  readonly type: ValueType;
  readonly negate: boolean;
  /** The list that is given becomes the field's messages: each value in this field of one. */
  readonly element: DescField | undefined;
  /** The map that is given becomes the field's messages: a key and a value in one. */
  readonly entries: { readonly key: DescField; readonly value: DescField } | undefined;
}

export interface PresetModel {
  readonly path: FieldPath;
  readonly value: string | number | boolean;
}

export interface OptionModel {
  readonly name: string;
  readonly doc: string;
  readonly path: FieldPath;
  readonly type: ValueType;
  /** Leaving it out differs from its zero value (an `optional` field, a message, a member of a oneof). */
  readonly hasPresence: boolean;
}

export interface ResultModel {
  /** Field of the response; undefined = the response as a whole, `type` is then its message. */
  readonly field: DescField | undefined;
  /** What the caller gets, `list` and `optional` included. */
  readonly type: ValueType;
  /** Only the first element of the field, or nothing. */
  readonly first: boolean;
  /** Of each element this field. */
  readonly element: DescField | undefined;
  /** Nothing where this field of the element is false. */
  readonly present: DescField | undefined;
  /** With `pages`: fields of request and response. */
  readonly pages: { readonly cursor: DescField; readonly nextCursor: DescField } | undefined;
  /** Fields of the elements (messages) that come from the fields of the same name of the request. */
  readonly fill: readonly { readonly to: DescField; readonly from: DescField }[];
}

export interface StreamModel {
  readonly items: DescField;
  /** One item. */
  readonly type: ValueType;
  readonly resume: Resume;
  /** Field of the streamed message that is true in the first only; undefined where the first is one like the others. */
  readonly subscribed: DescField | undefined;
}

export type ValueType =
  | { readonly kind: 'string' | 'bool' | 'double' }
  | { readonly kind: 'int'; readonly bits: 32 | 64; readonly signed: boolean }
  /** Bytes, such as a cursor. */
  | { readonly kind: 'bytes' }
  /** Bytes that are text as a rule. */
  | { readonly kind: 'text' }
  /** google.protobuf.Duration. */
  | { readonly kind: 'duration' }
  /** google.protobuf.Timestamp. */
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'enum'; readonly enum: EnumModel }
  | { readonly kind: 'message'; readonly message: MessageModel }
  | { readonly kind: 'list'; readonly of: ValueType }
  /** A value or nothing. */
  | { readonly kind: 'optional'; readonly of: ValueType }
  /** Keys are strings. */
  | { readonly kind: 'map'; readonly of: ValueType };

export interface MessageModel {
  readonly desc: DescMessage;
  /** Its type's name in the SDKs: `QueueStats`. */
  readonly name: string;
  readonly doc: string;
  /** Each SDK defines the type by hand. */
  readonly handwritten: boolean;
  readonly fields: readonly FieldModel[];
  /** Whether callers give it, get it, or both: which converters are needed. */
  readonly isInput: boolean;
  readonly isOutput: boolean;
}

export interface FieldModel {
  readonly desc: DescField;
  readonly name: string;
  readonly doc: string;
  readonly type: ValueType;
  /** Unset differs from zero: an `optional` field, a message, a member of a oneof. */
  readonly hasPresence: boolean;
  readonly oneof: DescOneof | undefined;
}

export interface EnumModel {
  readonly desc: DescEnum;
  readonly name: string;
  readonly doc: string;
  /** Without the value 0, which stands for a value that is not given. */
  readonly values: readonly EnumValueModel[];
}

export interface EnumValueModel {
  readonly number: number;
  /** `in_flight`: what it is called in every SDK. */
  readonly name: string;
  /** `MESSAGE_STATE_IN_FLIGHT`. */
  readonly protoName: string;
  readonly doc: string;
}

export interface ReasonModel {
  readonly number: number;
  /** `KEY_NOT_FOUND`. */
  readonly name: string;
  readonly doc: string;
  /** Canonical gRPC code. */
  readonly code: number;
  /** `not_found`: one for each code, in snake_case. SDKs have an error type, or a value to test for, by that name. */
  readonly family: string;
  readonly retryable: boolean;
  readonly action: string;
  /** Raised by SDKs only, never by a server. */
  readonly isClientOnly: boolean;
}
