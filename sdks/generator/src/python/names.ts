/** What things of the model are called in Python. */

import {
  type EnumModel,
  type FaceModel,
  type MessageModel,
  Resume,
  type RpcModel,
  type ValueType,
} from '../model.ts';
import { lowerSnake } from '../names.ts';
import { constant, identifier } from './code.ts';

/** `KEYS_PAGE`: elements that a method asks for in a page, where the request has a limit. */
export const PAGE_LIMIT_NAME = 'PAGE_LIMIT';

export function methodName(face: FaceModel): string {
  return face.spelled.python ?? identifier(face.name);
}

/** The class of a service: `kv` → `KV`, `queue` → `Queue`. */
export function serviceClass(name: string): string {
  return name.length <= 2 ? name.toUpperCase() : name.charAt(0).toUpperCase() + name.slice(1);
}

/** `gomsg.v1.KVService/Set` → `KV_SERVICE_SET`. */
export function rpcConstant(rpc: RpcModel): string {
  const [service = '', method = ''] = rpc.path.split('/');
  return `${constant(service.slice(service.lastIndexOf('.') + 1))}_${constant(method)}`;
}

export function readFunction(message: MessageModel): string {
  return `read_${lowerSnake(message.name)}`;
}

export function writeFunction(message: MessageModel): string {
  return `write_${lowerSnake(message.name)}`;
}

export function enumReader(model: EnumModel): string {
  return `read_${lowerSnake(model.name)}`;
}

export function enumNumbers(model: EnumModel): string {
  return `${constant(model.name)}_NUMBERS`;
}

/** The parameter that bounds the call: another name where the method has a parameter of that name. */
export function timeoutName(face: FaceModel): string {
  const names = [...face.params, ...face.options].map(({ name }) => name);
  return names.includes('timeout') ? 'call_timeout' : 'timeout';
}

export const RESUME_NAMES: Readonly<Record<number, string>> = {
  [Resume.RESTART]: 'restart',
  [Resume.CONSUMER]: 'consumer',
  [Resume.WATCH]: 'watch',
};

/** Whether the value, or something in it, is a type that each SDK defines by hand. */
export function hasHandwritten(type: ValueType): boolean {
  if (type.kind === 'message') return type.message.handwritten;
  return type.kind === 'list' || type.kind === 'optional' || type.kind === 'map'
    ? hasHandwritten(type.of)
    : false;
}
