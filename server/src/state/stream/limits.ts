/** What bounds the stream state of one group. All of them are part of the replicated rules: every replica has the same. */

/** Most partitions of a topic, as the contract says. */
export const MAX_PARTITIONS_PER_TOPIC = 1024;

/** Most topics of a group. */
export const MAX_TOPICS = 10_000;

/** Most partitions of a group, over all topics: some 200 bytes of memory each. */
export const MAX_PARTITIONS = 100_000;

/** Most committed offsets of a group, over all consumers and partitions: some 16 bytes of memory each. */
export const MAX_COMMITTED_OFFSETS = 1_000_000;

/** Most members of one consumer group; more than a topic has partitions would have nothing to read. */
export const MAX_MEMBERS = MAX_PARTITIONS_PER_TOPIC;

/**
 * Most bytes of a row. A row is the unit of reading, of retention and of what a subscription keeps in memory; rows up
 * to this size also pack well into the overlay's memory.
 */
export const MAX_ROW_BYTES = 128 * 1024;

/** Most bytes of a message as stored. It has a row of its own then, and the store takes 16 MiB. */
export const MAX_MESSAGE_BYTES = 15 * 1024 * 1024;

/** Most messages of one PublishBatch. */
export const MAX_BATCH_MESSAGES = 10_000;

/** Partitions that one run of age retention truncates, give or take those due at the same millisecond. */
export const MAX_EXPIRIES_PER_RUN = 1000;
