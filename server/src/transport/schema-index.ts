import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/** Finds the files of a schema by what they are named and what they declare. */
export class SchemaIndex {
  readonly services: readonly string[];
  readonly #byName = new Map<string, DescFile>();
  readonly #bySymbol = new Map<string, DescFile>();
  /** By extended message, then field number. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #encoded = new Map<DescFile, Uint8Array>();

  constructor(services: Iterable<DescService>) {
    const all = [...services];
    this.services = all.map((service) => service.typeName).sort();
    for (const service of all) this.#add(service.file);
  }

  file(name: string): DescFile | undefined {
    return this.#byName.get(name);
  }

  declaring(symbol: string): DescFile | undefined {
    return this.#bySymbol.get(symbol.replace(/^\./, ''));
  }

  extending(message: string, field: number): DescFile | undefined {
    return this.#extensions.get(message)?.get(field);
  }

  /** Field numbers of all extensions of a message; undefined when there is no such message. */
  extensionsOf(message: string): number[] | undefined {
    const extensions = this.#extensions.get(message);
    if (extensions === undefined && !this.#bySymbol.has(message)) return undefined;
    return [...(extensions?.keys() ?? [])].sort((a, b) => a - b);
  }

  /** The file as an encoded google.protobuf.FileDescriptorProto. */
  encoded(file: DescFile): Uint8Array {
    let bytes = this.#encoded.get(file);
    if (bytes === undefined) {
      bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      this.#encoded.set(file, bytes);
    }
    return bytes;
  }

  #add(file: DescFile): void {
    if (this.#byName.has(file.proto.name)) return;
    this.#byName.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.#add(dependency);
    for (const service of file.services) {
      this.#bySymbol.set(service.typeName, file);
      for (const method of service.methods) this.#bySymbol.set(`${service.typeName}.${method.name}`, file);
    }
    for (const type of nestedTypes(file)) {
      this.#bySymbol.set(type.typeName, file);
      if (type.kind === 'message') {
        for (const field of type.fields) this.#bySymbol.set(`${type.typeName}.${field.name}`, file);
        for (const oneof of type.oneofs) this.#bySymbol.set(`${type.typeName}.${oneof.name}`, file);
      } else if (type.kind === 'enum') {
        // The values of an enum are declared beside it, not in it.
        const scope = type.typeName.slice(0, type.typeName.lastIndexOf('.') + 1);
        for (const value of type.values) this.#bySymbol.set(scope + value.name, file);
      } else if (type.kind === 'extension') {
        const extended = this.#extensions.get(type.extendee.typeName) ?? new Map<number, DescFile>();
        extended.set(type.number, file);
        this.#extensions.set(type.extendee.typeName, extended);
      }
    }
  }
}
