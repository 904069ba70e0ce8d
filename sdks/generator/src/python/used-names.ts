/** The imports of the names that generated code mentions. */
import type { ServiceModel, ValueType } from '../model.ts';
import { enumNumbers, enumReader, readFunction, writeFunction } from './names.ts';

const STREAM_NAMES = ['ErrorHandler', 'Handler', 'Subscription'];

/** Imports of types and converters, of those that `code` has. */
export function usedNames(service: ServiceModel, code: string): string[] {
  const types = new Set<string>();
  const converters = new Set<string>();
  const handwritten = new Set<string>();
  const visit = (type: ValueType | undefined): void => {
    if (type === undefined) return;
    if (type.kind === 'enum') {
      types.add(type.enum.name);
      converters.add(enumNumbers(type.enum)).add(enumReader(type.enum));
    } else if (type.kind === 'message') {
      const { message } = type;
      const names = [readFunction(message), writeFunction(message)];
      if (message.handwritten) for (const name of [message.name, ...names]) handwritten.add(name);
      else {
        types.add(message.name);
        for (const name of names) converters.add(name);
      }
    } else if (type.kind === 'list' || type.kind === 'optional' || type.kind === 'map') visit(type.of);
  };
  for (const { params, options, result, stream } of service.faces) {
    for (const { type } of [...params, ...options]) visit(type);
    visit(result?.type);
    visit(stream?.type);
  }
  return [
    ...importOf('gomsg._gen.types', types, code),
    ...importOf('gomsg._gen.convert', converters, code),
    ...importOf('gomsg.messages', handwritten, code),
    ...importOf('gomsg._streams.subscription', new Set(STREAM_NAMES), code),
  ];
}

export function importOf(module: string, names: ReadonlySet<string>, code: string): string[] {
  const used = [...names].filter((name) => new RegExp(`\\b${name}\\b`).test(code)).sort();
  return used.length === 0 ? [] : [`from ${module} import ${used.join(', ')}`];
}
