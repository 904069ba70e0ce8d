/** What the main thread hands to the thread that writes LMDB, and what comes back. */

/** One overlay. Nothing is copied: chunks and order are shared memory. */
export interface OverlayBatch {
  readonly chunks: readonly SharedArrayBuffer[];
  /** Uint32 positions of the live records, in key order. */
  readonly order: SharedArrayBuffer;
  /** Ranges to empty before the records are written. */
  readonly hidden: readonly { readonly from: string; readonly to: string }[];
}

/** Oldest overlay first; all of it is one transaction. */
export interface CheckpointBatch {
  readonly overlays: readonly OverlayBatch[];
}

export interface WriterOptions {
  readonly directory: string;
  readonly mapSizeBytes: number;
}

export type WriterRequest =
  | { readonly kind: 'write'; readonly batch: CheckpointBatch }
  | { readonly kind: 'close' };

export type WriterAnswer =
  | { readonly kind: 'flushed' }
  | { readonly kind: 'failed'; readonly message: string };
