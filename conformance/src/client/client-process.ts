/** One SDK's client program, driven over its stdin and stdout: requests out, answers and events of streams in. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type RequestSchema,
  RequestSchema as Requests,
  type Response,
  ResponseSchema,
  type StreamEvent,
} from '../gen/gomsg/conformance/v1/conformance_pb.js';
import { makeBuildFolder, type Sdk } from '../sdks.ts';
import { FrameReader } from './frames.ts';

/** Lines of the program's standard error that are kept for the story of a failure. */
const KEPT_LINES = 60;
const LENGTH_BYTES = 4;

type Action = NonNullable<MessageInitShape<typeof RequestSchema>['action']>;

/** The program ended, or spoke nonsense. */
export class ClientProgramError extends Error {
  override readonly name = 'ClientProgramError';
}

/** What came of a request. */
export type Outcome = Response['outcome'];

/** A request under way. */
export interface Pending {
  readonly id: number;
  readonly outcome: Promise<Outcome>;
}

export class ClientProcess {
  readonly sdk: Sdk;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<Outcome>>();
  readonly #streams = new Map<string, (event: StreamEvent) => void>();
  readonly #errorLines: string[] = [];
  readonly exited: Promise<void>;
  #lastId = 0;
  #failure: ClientProgramError | undefined;

  /** @throws ClientProgramError when it cannot be built */
  static build(sdk: Sdk): void {
    makeBuildFolder();
    if (sdk.build === undefined) return;
    const [program, ...args] = sdk.build;
    const { status, error, stderr, stdout } = spawnSync(program, args, {
      cwd: sdk.cwd,
      encoding: 'utf8',
      env: { ...process.env, ...sdk.env },
    });
    if (status === 0) return;
    const story = error?.message ?? `${stdout}${stderr}`.trim();
    throw new ClientProgramError(`the client program of ${sdk.name} cannot be built: ${story}`);
  }

  constructor(sdk: Sdk) {
    this.sdk = sdk;
    const [program, ...args] = sdk.run;
    const child = spawn(program, args, {
      cwd: sdk.cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...sdk.env },
    });
    this.#child = child;
    const frames = new FrameReader((frame) => this.#take(frame));
    child.stdout.on('data', (piece: Buffer) => {
      try {
        frames.push(piece);
      } catch (error) {
        this.#fail(`spoke nonsense: ${error instanceof Error ? error.message : error}`);
        child.kill('SIGKILL');
      }
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errorLines.push(...text.split('\n').filter((line) => line !== ''));
      this.#errorLines.splice(0, this.#errorLines.length - KEPT_LINES);
    });
    child.stdin.on('error', () => {}); // It ended; `close` says how.
    const onExit = () => child.kill('SIGKILL');
    process.on('exit', onExit);
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#fail(`cannot be run: ${error.message}`);
        resolve();
      });
      child.once('close', (code, signal) => {
        process.off('exit', onExit);
        this.#fail(`ended with ${code ?? signal}`);
        resolve();
      });
    });
  }

  /** Why it can be used no more; undefined while it can. */
  get failure(): ClientProgramError | undefined {
    return this.#failure;
  }

  /** What it wrote to its standard error of late. */
  get errorOutput(): string {
    return this.#errorLines.join('\n');
  }

  request(action: Action): Pending {
    this.#lastId += 1;
    const id = this.#lastId;
    const waiting = Promise.withResolvers<Outcome>();
    waiting.promise.catch(() => {}); // A case that failed does not look at all it began.
    if (this.#failure !== undefined) waiting.reject(this.#failure);
    else {
      this.#waiting.set(id, waiting);
      const body = toBinary(Requests, create(Requests, { id, action }));
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(body.length);
      this.#child.stdin!.write(Buffer.concat([length, body]));
    }
    return { id, outcome: waiting.promise };
  }

  /** Events of a stream go to the listener from now on. */
  listen(stream: string, listener: (event: StreamEvent) => void): void {
    this.#streams.set(stream, listener);
  }

  forget(stream: string): void {
    this.#streams.delete(stream);
  }

  /** Ends it: its stdin ends, and after the grace it is killed. */
  async close(grace_ms = 5_000): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), grace_ms);
    await this.exited;
    clearTimeout(timer);
  }

  #take(frame: Buffer): void {
    const { id, outcome } = fromBinary(ResponseSchema, frame);
    if (outcome.case === 'event') {
      this.#streams.get(outcome.value.stream)?.(outcome.value);
      return;
    }
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) throw new Error(`it answers request ${id}, which does not wait for one`);
    this.#waiting.delete(id);
    waiting.resolve(outcome);
  }

  #fail(what: string): void {
    if (this.#failure !== undefined) return;
    const story = this.errorOutput === '' ? '' : `\n${this.errorOutput}`;
    this.#failure = new ClientProgramError(`the client program of ${this.sdk.name} ${what}${story}`);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }
}
