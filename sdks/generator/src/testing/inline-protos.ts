/** Models of protos that a test writes inline. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { buildModel } from '../build-model.ts';
import type { SdkModel } from '../model.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');
const optionsPath = 'gomsg/sdk/v1/options.proto';

/**
 * The model of protos by path, such as `{ 'test/v1/test.proto': 'syntax = "proto3"; …' }`; they may import
 * `gomsg/sdk/v1/options.proto` and Google's own.
 */
export function modelOf(protos: Readonly<Record<string, string>>): SdkModel {
  const folder = mkdtempSync(join(tmpdir(), 'gomsg-protos-'));
  try {
    writeFileSync(join(folder, 'buf.yaml'), 'version: v2\nmodules:\n  - path: .\n');
    mkdirSync(dirname(join(folder, optionsPath)), { recursive: true });
    cpSync(join(root, 'proto', optionsPath), join(folder, optionsPath));
    for (const [path, text] of Object.entries(protos)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return modelOfFolder(folder, Object.keys(protos));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The model of gomsg's own contracts. */
export function gomsgModel(): SdkModel {
  const files = ['common', 'kv', 'queue', 'stream', 'cluster', 'pipeline'].map(
    (name) => `gomsg/v1/${name}.proto`,
  );
  return modelOfFolder(join(root, 'proto'), files);
}

function modelOfFolder(folder: string, paths: readonly string[]): SdkModel {
  const buf = join(root, 'node_modules', '.bin', 'buf');
  const built = spawnSync(buf, ['build', folder, '--output', '-', '--as-file-descriptor-set'], {
    maxBuffer: 64 * 1024 * 1024,
  });
  if (built.status !== 0) throw new Error(`buf build: ${built.stderr}`);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, built.stdout));
  return buildModel(paths.map((path) => registry.getFile(path)!));
}
