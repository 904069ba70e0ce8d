/** A stream without a connection: tests say what arrives, when the connection is backed up, and when it closes. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type PipelineCallSchema,
  type PipelineResult,
  PipelineServiceExecuteRequestSchema,
  PipelineServiceExecuteResponseSchema,
} from '../../../gen/gomsg/v1/pipeline_pb.js';
import type { DuplexStream } from '../../../services/method.ts';
import type { Failure } from '../../../state/failure.ts';

export class FakeStream implements DuplexStream {
  /** Frames that were written, oldest first. */
  readonly frames: PipelineResult[][] = [];
  /** Bytes of the same frames. */
  readonly frameBytes: number[] = [];
  /** Frames that the connection takes before it is backed up. */
  room = Number.POSITIVE_INFINITY;
  paused = false;
  /** `undefined` = not ended; `ok` = without an error. */
  ended: Failure | 'ok' | undefined;
  #message: (message: Uint8Array) => void = () => {};
  #end: () => void = () => {};
  #draining: () => void = () => {};
  #close: () => void = () => {};
  #drain: () => void = () => {};

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#message = listener;
  }

  onEnd(listener: () => void): void {
    this.#end = listener;
  }

  onDraining(listener: () => void): void {
    this.#draining = listener;
  }

  onClose(listener: () => void): void {
    this.#close = listener;
  }

  onDrain(listener: () => void): void {
    this.#drain = listener;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  write(message: Uint8Array): boolean {
    if (this.ended !== undefined) throw new Error('written after the end');
    this.frames.push(fromBinary(PipelineServiceExecuteResponseSchema, message).results);
    this.frameBytes.push(message.length);
    this.room--;
    return this.room > 0;
  }

  end(error?: Failure): void {
    this.ended ??= error ?? 'ok';
  }

  // --- what the tests do ---

  /** Every result written so far. */
  get results(): PipelineResult[] {
    return this.frames.flat();
  }

  /** Call ids of the results, in order. */
  get answered(): number[] {
    return this.results.map(({ callId }) => callId);
  }

  /** A frame arrives. */
  receive(
    calls: MessageInitShape<typeof PipelineCallSchema>[],
    frame: { sessionId?: bigint; answeredBelow?: bigint; topologyEpoch?: bigint } = {},
  ): void {
    const request = create(PipelineServiceExecuteRequestSchema, { ...frame, calls });
    this.receiveBytes(toBinary(PipelineServiceExecuteRequestSchema, request));
  }

  receiveBytes(bytes: Uint8Array): void {
    this.#message(bytes);
  }

  halfClose(): void {
    this.#end();
  }

  /** The port drains. */
  beginDraining(): void {
    this.#draining();
  }

  close(): void {
    this.#close();
  }

  /** The connection took what it had, and takes `frames` more. */
  drain(frames = Number.POSITIVE_INFINITY): void {
    this.room = frames;
    this.#drain();
  }
}
