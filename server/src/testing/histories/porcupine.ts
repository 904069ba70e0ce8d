/** The second opinion: Porcupine, a linearizability checker in Go, asked through a small program. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type History, toJsonLines } from './history.ts';

export type PorcupineVerdict = 'linearizable' | 'violation' | 'undecided';

/** Go is missing or too old, the program does not build, or it could not read a history. */
export class PorcupineError extends Error {
  override readonly name = 'PorcupineError';
}

export interface PorcupineOptions {
  /** For each history. Default 60,000. */
  readonly timeout_ms?: number;
  /** An HTML file to draw the last history in, with the place where it breaks. */
  readonly picture?: string;
}

const SOURCE = join(import.meta.dirname, 'porcupine');
const DEFAULT_TIMEOUT_MS = 60_000;

/** Built once, asked often. It holds a temporary folder until it is disposed. */
export class Porcupine implements Disposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws PorcupineError */
  static async build(): Promise<Porcupine> {
    const folder = mkdtempSync(join(tmpdir(), 'gomsg-porcupine-'));
    try {
      await run('go', ['build', '-o', join(folder, 'porcupine'), '.'], '', SOURCE);
      return new Porcupine(folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** @param model the name of a model: `register` or `counter` @throws PorcupineError */
  async check(
    model: string,
    histories: readonly History<unknown, unknown>[],
    { timeout_ms = DEFAULT_TIMEOUT_MS, picture }: PorcupineOptions = {},
  ): Promise<PorcupineVerdict[]> {
    if (histories.length === 0) return [];
    const args = [
      `-model=${model}`,
      `-timeout=${timeout_ms}ms`,
      ...(picture === undefined ? [] : [`-picture=${picture}`]),
    ];
    const output = await run(join(this.#folder, 'porcupine'), args, histories.map(toJsonLines).join('\n'));
    return output.trim().split('\n') as PorcupineVerdict[];
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function run(program: string, args: readonly string[], input: string, cwd?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(cwd !== undefined && { cwd }),
    });
    const told: string[] = [];
    const complaints: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => told.push(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => complaints.push(text));
    child.on('error', (error) =>
      reject(
        new PorcupineError(`${program} could not be run (Go 1.24 or later is needed): ${error.message}`),
      ),
    );
    child.on('close', (code) => {
      if (code === 0) resolve(told.join(''));
      else reject(new PorcupineError(`${program} ended with ${code}: ${complaints.join('').trim()}`));
    });
    // A program that ends without reading says why on standard error.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
