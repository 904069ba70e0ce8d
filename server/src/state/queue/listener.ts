/**
 * What the machine tells about its messages while it applies, on every replica. Listeners must not call back into
 * apply; they take note and act later.
 */
export interface QueueListener {
  /** Messages of the queue became ready in this entry. Called once an entry and queue, after its last command. */
  ready(queue: string): void;
  /** A delivery ended: settled, given back, or its lease ran out. */
  ended(queue: string, sequence: number, delivery: number): void;
  /** All deliveries of the queue ended at once: they were purged, or the queue was deleted. */
  allEnded(queue: string): void;
}
