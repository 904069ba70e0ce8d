/** The plugin that buf runs: one target, a language or the list of methods, per run. */
import { create, createFileRegistry } from '@bufbuild/protobuf';
import {
  CodeGeneratorResponse_Feature,
  CodeGeneratorResponse_FileSchema,
  CodeGeneratorResponseSchema,
  Edition,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import type { Plugin } from '@bufbuild/protoplugin';
import { buildModel, ModelError } from './build-model.ts';
import type { GeneratedFile } from './generated-file.ts';
import type { SdkModel } from './model.ts';

export type Emitter = (model: SdkModel) => readonly GeneratedFile[];

/**
 * A plugin of the raw protocol: protoplugin's own framework writes ECMAScript only.
 *
 * Needs `strategy: all`, since one file of an SDK has the services of several protos. The option `target=<name>` chooses
 * the emitter.
 */
export function sdkPlugin(emitters: Readonly<Record<string, Emitter>>): Plugin {
  return {
    name: 'gomsg-sdk-generator',
    version: '0.1.0',
    run(request) {
      const { parameter, fileToGenerate, protoFile } = request;
      const features = {
        supportedFeatures: BigInt(CodeGeneratorResponse_Feature.PROTO3_OPTIONAL),
        minimumEdition: Edition.EDITION_PROTO3,
        maximumEdition: Edition.EDITION_PROTO3,
      };
      const [, target] = /^target=(\w+)$/.exec(parameter) ?? [];
      const emit = target === undefined ? undefined : emitters[target];
      if (emit === undefined) {
        const known = Object.keys(emitters).join(', ');
        return create(CodeGeneratorResponseSchema, {
          ...features,
          error: `gomsg-sdk-generator: the option target=<name> must name one of ${known}; it is "${parameter}"`,
        });
      }
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: protoFile }));
      const files = fileToGenerate.map((path) => registry.getFile(path)!);
      try {
        return create(CodeGeneratorResponseSchema, {
          ...features,
          file: emit(buildModel(files)).map(({ path, content }) =>
            create(CodeGeneratorResponse_FileSchema, { name: path, content }),
          ),
        });
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        return create(CodeGeneratorResponseSchema, { ...features, error: error.message });
      }
    },
  };
}
