/** Finds the languages a suite needs beside Node. */
import { spawnSync } from 'node:child_process';
import { TOOLCHAINS, type Toolchain } from './suites.ts';

/** Undefined when the toolchain is there and new enough, otherwise what to do about it. */
export function missingToolchain(toolchain: Toolchain): string | undefined {
  const { name, command, minimum, from } = TOOLCHAINS[toolchain];
  const wanted = `${name} ${minimum.join('.')} or later is needed: ${from}`;
  const [program, ...args] = command;
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  const version = status === 0 ? /(\d+)\.(\d+)/.exec(stdout) : null;
  if (version === null) return `${wanted} (no "${program}" on the PATH)`;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const isEnough = major > minimum[0] || (major === minimum[0] && minor >= minimum[1]);
  return isEnough ? undefined : `${wanted} (found ${version[0]})`;
}
