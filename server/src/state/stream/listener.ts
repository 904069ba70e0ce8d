/**
 * What the machine tells about its topics while it applies, on every replica. Listeners must not call back into
 * apply, and must not read before the entry is done: they take note, and read later.
 */
export interface StreamListener {
  /** The entry appended to a partition. Called at the end of the entry, once a partition. */
  appended(topicId: number, partition: number): void;
  /** The topic got more partitions, or was deleted. */
  topicChanged(topicId: number): void;
  /** Members joined or left, or the partitions were shared out anew: the consumer has a new generation. */
  assigned(topicId: number, consumer: string): void;
  /** The committed offset in a partition rose. */
  committed(topicId: number, consumer: string, partition: number): void;
  /** The consumer was moved to another place in a partition: what was delivered before says nothing any more. */
  moved(topicId: number, consumer: string, partition: number): void;
  /** Everything was read anew from the store: views of topics, partitions and consumers are worthless. */
  reloaded(): void;
}
